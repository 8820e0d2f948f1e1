//! Capture filters on files: BPF programs that libpcap compiles, one for each link type.

use pcap::{BpfProgram, Capture, Dead, Linktype};
use tapwire_wire::{LinkType, Packet};

use crate::SourceError;

/// A capture filter in the syntax of tcpdump.
pub(crate) struct Filter {
    text: String,
    programs: Vec<(LinkType, BpfProgram)>,
}

impl Filter {
    /// A filter that compiles for `link`.
    pub(crate) fn new(text: &str, link: LinkType) -> Result<Self, SourceError> {
        let programs = vec![(link, compile(text, link)?)];
        Ok(Self { text: text.to_owned(), programs })
    }

    /// Whether the packet is wanted.
    pub(crate) fn accepts(&mut self, packet: &Packet<'_>) -> Result<bool, SourceError> {
        if let Some((_, program)) = self.programs.iter().find(|(link, _)| *link == packet.link) {
            return Ok(program.filter(packet.data));
        }
        let program = compile(&self.text, packet.link)?;
        let accepted = program.filter(packet.data);
        self.programs.push((packet.link, program));
        Ok(accepted)
    }
}

fn compile(text: &str, link: LinkType) -> Result<BpfProgram, SourceError> {
    program(text, link).map_err(|error| bad_filter(text, link, &error))
}

fn program(text: &str, link: LinkType) -> Result<BpfProgram, pcap::Error> {
    Capture::<Dead>::dead(data_link(link))?.compile(text, true)
}

/// libpcap numbers raw IP in another way than files do.
fn data_link(link: LinkType) -> Linktype {
    Linktype(if link == LinkType::RAW { 12 } else { i32::try_from(link.0).unwrap_or(i32::MAX) })
}

/// What is wrong with a filter, and where.
pub(crate) fn bad_filter(text: &str, link: LinkType, error: &pcap::Error) -> SourceError {
    let message = match error {
        pcap::Error::PcapError(message) => {
            message.trim_start_matches("can't parse filter expression: ").to_owned()
        }
        other => other.to_string(),
    };
    let position = position(text, link, &message);
    SourceError::BadFilter { filter: text.to_owned(), message, position }
}

/// libpcap names an unknown word but never a place. For mere syntax errors it is where the longest beginning ends that
/// is a filter by itself.
fn position(text: &str, link: LinkType, message: &str) -> Option<usize> {
    if let Some(word) = message.split('\'').nth(1) {
        return text.find(word);
    }
    let starts = || {
        text.char_indices().filter(|(at, c)| !c.is_whitespace() && begins_word(text, *at)).map(|(at, _)| at)
    };
    starts().filter(|at| *at > 0).take(64).filter(|at| is_filter(text.get(..*at), link)).last()
}

fn begins_word(text: &str, at: usize) -> bool {
    text.get(..at).is_none_or(|before| before.is_empty() || before.ends_with(char::is_whitespace))
}

fn is_filter(text: Option<&str>, link: LinkType) -> bool {
    text.is_some_and(|text| program(text, link).is_ok())
}
