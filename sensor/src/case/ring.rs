//! The packets that a sensor kept, as one capture of a case.

use super::stage::create;
use crate::carve::RingSource;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use tapwire_capture::{ByteOrder, InterfaceDescription, Labels, PcapngWriter, Source, Status};
use tapwire_wire::Packet;

/// What the file names as its writer.
const APPLICATION: &str = concat!("tapwire ", env!("CARGO_PKG_VERSION"));

/// Writes all of the ring: an incident rests on what was usual before, and nobody knows beforehand on which packets.
pub(super) fn write(data: &Path, to: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::new(format!("{}: {error}", to.display()));
    let mut source = RingSource::open(data, None)?;
    let out = PcapngWriter::by(BufWriter::new(create(to).map_err(failed)?), ByteOrder::Little, APPLICATION);
    let mut copy = Copy { out: out.map_err(failed)?, names: source.names().all(), ports: BTreeMap::new() };
    loop {
        let mut written = Ok(());
        let read = source.dispatch(&mut |packet| {
            if written.is_ok() {
                written = copy.packet(&packet);
            }
        });
        written.map_err(failed)?;
        match read {
            Ok(Status::End) => break,
            Ok(_) => {}
            // The rest of the ring is there.
            Err(error) if error.is_partial() => eprintln!("tapwire: {error}"),
            Err(error) => return Err(error.into()),
        }
    }
    copy.out.into_inner().flush().map_err(failed)
}

struct Copy<W: Write> {
    out: PcapngWriter<W>,
    /// Of the interfaces.
    names: Vec<String>,
    ports: BTreeMap<(u16, u32), u32>,
}

impl<W: Write> Copy<W> {
    fn packet(&mut self, packet: &Packet<'_>) -> io::Result<()> {
        let port = (packet.source.0, packet.link.0);
        let number = match self.ports.get(&port) {
            Some(number) => *number,
            None => {
                let name = self.names.get(usize::from(packet.source.0)).map(String::as_str);
                let labels = Labels { name, description: None };
                let number = self.out.labelled_interface(InterfaceDescription::new(packet.link), labels)?;
                self.ports.insert(port, number);
                number
            }
        };
        self.out.packet(number, packet)
    }
}
