//! Writes the packets of chosen exchanges as they were captured.

use super::fragments::Fragments;
use super::output::{self, Output};
use super::places::{Part, Places};
use crate::failure::Failure;
use std::collections::HashMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use tapwire_capture::{ByteOrder, FileInterface, InterfaceDescription, Labels, PcapngWriter};
use tapwire_pipeline::{Follower, Member};
use tapwire_protocol::Exchange;
use tapwire_wire::{LinkType, Packet};

/// What the file names as its writer.
const APPLICATION: &str = concat!("tapwire ", env!("CARGO_PKG_VERSION"));

/// An interface of a source. A source of the classic format has one, and files that were joined may mix link types.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Port {
    source: u16,
    interface: u32,
    link: LinkType,
}

/// Writes what [`Places`] wants while the capture passes.
pub(crate) struct Writer {
    out: PcapngWriter<Output>,
    /// As the operator named it.
    to: PathBuf,
    places: Places,
    /// The fragments that come before what [`Places`] wants is known.
    fragments: Fragments,
    /// Names of the sources.
    sources: Vec<String>,
    ports: HashMap<Port, u32>,
    packets: u64,
    error: Option<io::Error>,
}

/// What was written.
pub(crate) struct Written {
    /// The file, not yet under its name.
    pub(crate) output: Output,
    /// Packets in it.
    pub(crate) packets: u64,
    /// Its length.
    pub(crate) bytes: u64,
    /// SHA-256 of it.
    pub(crate) sha256: String,
}

impl Writer {
    pub(crate) fn new(
        to: &Path,
        places: Places,
        fragments: Fragments,
        sources: Vec<String>,
    ) -> Result<Self, Failure> {
        let begun = PcapngWriter::by(Output::create(to)?, ByteOrder::Little, APPLICATION);
        let (out, to) = (begun.map_err(|error| output::failed(to, &error))?, to.to_owned());
        Ok(Self { out, to, places, fragments, sources, ports: HashMap::new(), packets: 0, error: None })
    }

    /// Everything is written.
    pub(crate) fn finish(self) -> Result<Written, Failure> {
        if let Some(error) = self.error {
            return Err(output::failed(&self.to, &error));
        }
        let mut output = self.out.into_inner();
        output.flush().map_err(|error| output::failed(&self.to, &error))?;
        let (bytes, sha256) = (output.bytes(), output.sha256());
        Ok(Written { output, packets: self.packets, bytes, sha256 })
    }

    fn write(
        &mut self,
        packet: &Packet<'_>,
        interface: &FileInterface,
        member: Option<&Member<'_>>,
    ) -> io::Result<()> {
        let Some(part) = self.part(packet, member) else { return Ok(()) };
        let port = self.port(packet, interface)?;
        let comments: Vec<String> = part.carries.iter().map(ToString::to_string).collect();
        let comments: Vec<&str> = comments.iter().map(String::as_str).collect();
        self.packets += 1;
        self.out.commented_packet(port, packet, &comments)
    }

    /// What the packet is to the chosen exchanges; `None` when it is not wanted.
    fn part(&mut self, packet: &Packet<'_>, member: Option<&Member<'_>>) -> Option<Part> {
        let part = member.map(|member| self.places.part(member.connection, &member.segment));
        let fragment = if self.fragments.is_empty() { None } else { self.fragments.remove(&packet.id()) };
        let fragment = fragment.map(|carries| Part { wanted: true, carries });
        part.filter(|part| part.wanted).or(fragment)
    }

    /// The number of the packet's interface in the file, described when its first packet is written.
    fn port(&mut self, packet: &Packet<'_>, interface: &FileInterface) -> io::Result<u32> {
        let port = Port { source: packet.source.0, interface: interface.number, link: packet.link };
        if let Some(known) = self.ports.get(&port) {
            return Ok(*known);
        }
        let source = self.sources.get(usize::from(packet.source.0)).map(String::as_str);
        let labels = Labels {
            name: interface.name.as_deref().or(source),
            description: interface.description.as_deref().or(interface.name.as_ref().and(source)),
        };
        let description =
            InterfaceDescription { snap_len: interface.snap_len, ..InterfaceDescription::new(packet.link) };
        let number = self.out.labelled_interface(description, labels)?;
        self.ports.insert(port, number);
        Ok(number)
    }
}

impl Follower for Writer {
    fn packet(&mut self, packet: &Packet<'_>, interface: &FileInterface, member: Option<Member<'_>>) {
        if self.error.is_none() {
            self.error = self.write(packet, interface, member.as_ref()).err();
        }
    }

    fn exchange(&mut self, _exchange: &Exchange, _source: &str) {}

    fn is_done(&self) -> bool {
        self.error.is_some()
    }
}
