//! Capture filters on files: BPF programs that libpcap compiles, one for each link type.

use pcap::{BpfProgram, Capture, Dead, Linktype};
use tapwire_wire::{LinkType, Packet};

use crate::SourceError;

/// A capture filter in the syntax of tcpdump.
pub struct Filter {
    text: String,
    programs: Vec<(LinkType, BpfProgram)>,
}

impl Filter {
    /// A filter that compiles for `link`.
    ///
    /// # Errors
    /// When it does not compile.
    pub fn new(text: &str, link: LinkType) -> Result<Self, SourceError> {
        let programs = vec![(link, compile(text, link)?)];
        Ok(Self { text: text.to_owned(), programs })
    }

    /// Whether the packet is wanted.
    ///
    /// # Errors
    /// When the filter does not compile for the packet's link type.
    pub fn accepts(&mut self, packet: &Packet<'_>) -> Result<bool, SourceError> {
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
            let message = message.trim_start_matches("can't parse filter expression: ");
            message.trim_end_matches(" in filter expression").to_owned()
        }
        other => other.to_string(),
    };
    let position = position(text, link, &message);
    SourceError::BadFilter { filter: text.to_owned(), message, position }
}

/// What may follow the beginning of a filter: a primitive, a port, an address, the end of a group.
const CONTINUATIONS: [&str; 7] = ["", " ip", " 1", " 192.0.2.1", ")", " ip)", " 1)"];

/// libpcap names an unknown word but never a place. A syntax error is at the word behind the longest beginning that
/// could still become a filter.
fn position(text: &str, link: LinkType, message: &str) -> Option<usize> {
    if let Some(word) = message.split('\'').nth(1) {
        return text.find(word);
    }
    if !message.contains("syntax error") {
        return None;
    }
    let continues = |at: &usize| text.get(..*at).is_some_and(|start| can_continue(start, link));
    word_starts(text).chain([text.len()]).filter(continues).last().or(Some(0))
}

/// Where words begin, but for the first; a hundred, so that a filter of any length is judged in bounded time.
fn word_starts(text: &str) -> impl Iterator<Item = usize> {
    let starts = text.char_indices().zip(text.chars().skip(1));
    let starts = starts.filter(|((_, c), next)| c.is_whitespace() && !next.is_whitespace());
    starts.map(|((at, c), _)| at + c.len_utf8()).take(100)
}

fn can_continue(start: &str, link: LinkType) -> bool {
    CONTINUATIONS.iter().any(|rest| program(&format!("{start}{rest}"), link).is_ok())
}
