//! Which exchanges are wished for, and where they begin and end.

use super::findings::Meant;
use super::places::Place;
use super::wordless::{Listener, Wordless};
use crate::cli::CarveArgs;
use crate::failure::Failure;
use crate::outputs::expression;
use crate::whom::MIN_DIGITS;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use tapwire_capture::FileInterface;
use tapwire_event::{ExchangeFields, View, value};
use tapwire_expr::{Expr, FieldId, FieldNames, Kind};
use tapwire_pipeline::{Follower, Member};
use tapwire_protocol::{Exchange, Message, Pairing, Seen, Uid};
use tapwire_wire::{Packet, Side, Timestamp};

/// Digits of a whole uid.
const DIGITS: usize = 32;

/// Fields that are known only when exchanges are analysed.
const ANALYSED: &[&str] = &["service", "template", "endpoint", "discovered", "principal", "credentials"];

/// What the operator asks for.
#[derive(Debug, Clone)]
pub(crate) enum Wish {
    /// An exchange or finding whose uid begins so.
    Uid(Prefix),
    /// Every exchange for which this holds.
    Where {
        /// As read.
        expr: Expr,
        /// Whether it asks for what only analysis tells.
        analysed: bool,
    },
}

impl Wish {
    /// The wishes on the command line, and the captures.
    pub(crate) fn read(args: &CarveArgs) -> Result<(Vec<Self>, Vec<PathBuf>), Failure> {
        let uids = args.words.iter().take_while(|_| args.filter.is_none());
        let uids: Vec<Prefix> = uids.map_while(|word| Prefix::parse(word)).collect();
        let paths: Vec<PathBuf> = args.words.iter().skip(uids.len()).map(PathBuf::from).collect();
        let mut wishes: Vec<Self> = uids.into_iter().map(Self::Uid).collect();
        if let Some(text) = &args.filter {
            wishes.push(Self::filter(text)?);
        }
        match (wishes.is_empty(), args.words.first()) {
            (false, _) => Ok((wishes, paths)),
            (true, Some(word)) if !Path::new(word).exists() => Err(Failure::new(format!(
                "carve {word}: give at least {MIN_DIGITS} hexadecimal digits of a uid, as metadata.uid has it, or --where EXPR"
            ))),
            (true, _) => Err(Failure::new(
                "carve: say what to carve: uids of exchanges, findings or incidents, or --where EXPR",
            )),
        }
    }

    fn filter(text: &str) -> Result<Self, Failure> {
        let expr = expression(text)?;
        let asked = Asked::default();
        // It was read before, with the real names.
        let _ = tapwire_expr::parse(text, &asked);
        Ok(Self::Where { expr, analysed: asked.analysed.get() })
    }

    /// Whether only analysis tells what it asks for.
    pub(crate) const fn needs_analysis(&self) -> bool {
        matches!(self, Self::Where { analysed: true, .. })
    }
}

/// The names of fields, and whether one of those was asked for that need analysis.
#[derive(Debug, Default)]
struct Asked {
    analysed: Cell<bool>,
}

impl FieldNames for Asked {
    fn find(&self, name: &str) -> Option<(FieldId, Kind)> {
        let found = ExchangeFields.find(name)?;
        let needs = |field: &&str| ExchangeFields.find(field).is_some_and(|(id, _)| id == found.0);
        self.analysed.set(self.analysed.get() || ANALYSED.iter().any(needs));
        Some(found)
    }

    fn names(&self) -> Vec<&str> {
        ExchangeFields.names()
    }
}

/// The first digits of a uid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Prefix {
    text: String,
    digits: Vec<u8>,
}

impl Prefix {
    /// `None` when the word cannot be a uid; then it is a path.
    fn parse(word: &str) -> Option<Self> {
        let digit = |digit: char| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        let digits: Vec<u8> = word.chars().map(digit).collect::<Option<_>>()?;
        let fits = (MIN_DIGITS..=DIGITS).contains(&digits.len());
        fits.then(|| Self { text: word.to_owned(), digits })
    }

    /// As typed.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn matches(&self, uid: &Uid) -> bool {
        let halves = uid.0.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        self.digits.iter().zip(halves).all(|(wanted, digit)| *wanted == digit)
    }
}

/// A standard input or a pipe is gone once it is read.
pub(crate) fn readable_again(path: &Path) -> Result<(), Failure> {
    let stream = path.as_os_str() == "-"
        || std::fs::metadata(path).is_ok_and(|about| !about.is_file() && !about.is_dir());
    if stream {
        let path = path.display();
        return Err(Failure::new(format!(
            "carve {path}: the capture is read three times: save it to a file first"
        )));
    }
    Ok(())
}

/// A packet of a connection, by what events say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Mark {
    /// Its number in its source.
    pub(crate) frame: u64,
    /// When it was captured, which with the number tells sources apart.
    pub(crate) time: Timestamp,
}

/// One half of a chosen exchange.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Half {
    /// Who sent it.
    pub(crate) side: Side,
    /// Where its first byte stands in that side's stream.
    pub(crate) at: Place,
    /// The packet with its first byte.
    pub(crate) first: Mark,
    /// The packet with its last byte.
    pub(crate) last: Mark,
}

/// A chosen exchange.
#[derive(Debug, Clone)]
pub(crate) struct Spot {
    /// Its identity.
    pub(crate) uid: Uid,
    /// Its connection.
    pub(crate) connection: u64,
    /// The client, where a PROXY header before the connection's first request names it.
    pub(crate) proxied: Option<Side>,
    /// What was seen of it.
    pub(crate) halves: Vec<Half>,
    /// Whether it was seen from its first to its last byte, both halves, and surely belongs together. Of anything else its
    /// neighbours are part of what is known.
    pub(crate) whole: bool,
    /// Whether the connection's beginning was not captured.
    pub(crate) joined_late: bool,
}

impl Spot {
    fn of(exchange: &Exchange, uid: Uid) -> Self {
        let client = exchange.flow.client;
        let half = |message: &Message, side: Side| Half {
            side,
            at: Place::of(message.at),
            first: Mark { frame: message.frames.first, time: message.started },
            last: Mark { frame: message.frames.last, time: message.ended },
        };
        let complete =
            |half: &Option<Box<Message>>| half.as_ref().is_some_and(|half| half.seen == Seen::Complete);
        let whole = complete(&exchange.request) && complete(&exchange.response);
        let request = exchange.request.as_ref().map(|message| half(message, client));
        let response = exchange.response.as_ref().map(|message| half(message, client.peer()));
        Self {
            uid,
            connection: exchange.flow.id,
            proxied: exchange.flow.proxy.map(|_| client),
            halves: [request, response].into_iter().flatten().collect(),
            joined_late: exchange.flow.joined_late,
            // The header table of HTTP/2, the parent of a child and the handshake of TLS lie in earlier packets.
            whole: whole
                && exchange.pairing == Pairing::Certain
                && exchange.stream.is_none()
                && exchange.child.is_none()
                && exchange.flow.tls.is_none(),
        }
    }
}

/// A wish, and what analysis says it means.
pub(crate) type Answer = (Wish, Meant);

/// What is carved.
#[derive(Debug)]
pub(crate) struct Chosen {
    /// Exchanges, in the order of the capture.
    pub(crate) spots: Vec<Spot>,
    /// Connections without any.
    pub(crate) wordless: Wordless,
}

/// Finds the chosen exchanges while a capture passes.
pub(crate) struct Chooser {
    wishes: Vec<Wish>,
    /// What each wish found.
    found: Vec<BTreeSet<Uid>>,
    /// Named by findings.
    uids: BTreeSet<Uid>,
    spots: Vec<Spot>,
    listener: Listener,
    /// Prefixes that are known to be those of findings.
    answered: BTreeSet<String>,
}

impl Chooser {
    pub(crate) fn new(wishes: &[Wish]) -> Self {
        Self {
            wishes: wishes.to_vec(),
            found: vec![BTreeSet::new(); wishes.len()],
            uids: BTreeSet::new(),
            spots: Vec::new(),
            listener: Listener::default(),
            answered: BTreeSet::new(),
        }
    }

    /// The wishes that found nothing, where analysis may know more.
    pub(crate) fn unfulfilled(&self) -> Option<Vec<Wish>> {
        let open = self.wishes.iter().zip(&self.found).filter(|(_, found)| found.is_empty());
        let open = open.map(|(wish, _)| wish).filter(|wish| match wish {
            Wish::Uid(prefix) => !self.answered.contains(&prefix.text),
            Wish::Where { analysed, .. } => *analysed,
        });
        let open: Vec<Wish> = open.cloned().collect();
        (!open.is_empty()).then_some(open)
    }

    /// From now on, these are wished for too. Fails for a uid that nothing has.
    pub(crate) fn wish_for(&mut self, answers: &[Answer]) -> Result<(), Failure> {
        for (wish, meant) in answers {
            if let (Wish::Uid(prefix), true) = (wish, meant.is_nothing()) {
                return Err(unknown(prefix));
            }
            if let Wish::Uid(prefix) = wish {
                self.answered.insert(prefix.text.clone());
            }
            self.uids.extend(&meant.exchanges);
        }
        self.listener.want(answers.iter().flat_map(|(_, meant)| meant.tried.iter().copied()));
        self.spots.clear();
        Ok(())
    }

    /// What was found.
    pub(crate) fn into_chosen(self) -> Result<Chosen, Failure> {
        for (wish, found) in self.wishes.iter().zip(&self.found) {
            if let (Wish::Uid(prefix), 2..) = (wish, found.len()) {
                return Err(Failure::new(format!(
                    "carve {}: {} exchanges have a uid that begins so: give more of its digits",
                    prefix.text,
                    found.len()
                )));
            }
        }
        let wordless = self.listener.into_found();
        if self.spots.is_empty() && wordless.connections.is_empty() {
            return Err(match self.wishes.first() {
                Some(Wish::Uid(prefix)) => unknown(prefix),
                _ => Failure::new("carve: --where holds for no exchange of what was searched"),
            });
        }
        Ok(Chosen { spots: self.spots, wordless })
    }

    fn is_wished(&mut self, exchange: &Exchange, source: &str, uid: &Uid) -> bool {
        let mut wished = self.uids.contains(uid);
        for (wish, found) in self.wishes.iter().zip(&mut self.found) {
            let holds = match wish {
                Wish::Uid(prefix) => prefix.matches(uid),
                Wish::Where { analysed: true, .. } => false,
                Wish::Where { expr, .. } => {
                    let view = View { exchange, call: None, source };
                    expr.matches(&|field| value(&view, field))
                }
            };
            if holds {
                wished = true;
                // Of an expression the first is enough to know that it holds somewhere.
                if found.is_empty() || matches!(wish, Wish::Uid(_)) {
                    found.insert(*uid);
                }
            }
        }
        wished
    }
}

fn unknown(prefix: &Prefix) -> Failure {
    Failure::new(format!("carve {}: no exchange in what was searched belongs to this uid", prefix.text))
}

impl Follower for Chooser {
    fn packet(&mut self, _packet: &Packet<'_>, _interface: &FileInterface, member: Option<Member<'_>>) {
        member.iter().for_each(|member| self.listener.see(member));
    }

    fn exchange(&mut self, exchange: &Exchange, source: &str) {
        let uid = exchange.uid();
        if self.is_wished(exchange, source, &uid) {
            self.spots.push(Spot::of(exchange, uid));
        }
    }

    /// Whole uids that are found need not be looked for any further.
    fn is_done(&self) -> bool {
        let whole = |wish: &Wish| matches!(wish, Wish::Uid(prefix) if prefix.digits.len() == DIGITS);
        self.uids.is_empty()
            && self.listener.is_idle()
            && self.wishes.iter().zip(&self.found).all(|(wish, found)| whole(wish) && !found.is_empty())
    }
}
