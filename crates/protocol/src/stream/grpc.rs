//! gRPC's length-prefixed messages (gRPC over HTTP/2, "Length-Prefixed-Message"), and the trailers of gRPC-web among them.

use super::event_stream::{EventPart, EventStep};

/// Bytes in front of each message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Reads messages from pieces of any size.
#[derive(Debug, Clone, Copy)]
pub(super) struct GrpcReader {
    place: Place,
    /// Messages are JSON.
    json: bool,
    /// The flags of the open message.
    flags: u8,
}

#[derive(Debug, Clone, Copy)]
enum Place {
    /// Within the prefix of the next message.
    Prefix([u8; PREFIX], u8),
    /// Within a message of which so many bytes are to come.
    Message(u32),
}

impl GrpcReader {
    /// For content of that media type, without parameters; `None` for what is no gRPC, or is in base64.
    pub(super) fn of(media_type: &[u8]) -> Option<Self> {
        const NAMES: [(&[u8], bool); 6] = [
            (b"application/grpc", false),
            (b"application/grpc+proto", false),
            (b"application/grpc+json", true),
            (b"application/grpc-web", false),
            (b"application/grpc-web+proto", false),
            (b"application/grpc-web+json", true),
        ];
        let (_, json) = NAMES.into_iter().find(|(name, _)| media_type.eq_ignore_ascii_case(name))?;
        Some(Self { place: Place::Prefix([0; PREFIX], 0), json, flags: 0 })
    }

    /// What the open message is, for who reads it alone.
    pub(super) const fn media_type(&self) -> &'static str {
        match (self.flags & 0x80 != 0, self.flags & 1 != 0, self.json) {
            (true, ..) => "application/grpc-web; message=trailers",
            (false, false, false) => "application/grpc; message=plain",
            (false, true, false) => "application/grpc; message=compressed",
            (false, false, true) => "application/grpc+json; message=plain",
            (false, true, true) => "application/grpc+json; message=compressed",
        }
    }

    /// Whether part of a message has come.
    pub(super) const fn is_within(&self) -> bool {
        matches!(self.place, Place::Message(_))
    }

    /// Whether the last byte of a message was taken: then the next one begins.
    pub(super) const fn ends_here(&mut self) -> bool {
        let ends = matches!(self.place, Place::Message(0));
        if ends {
            self.place = Place::Prefix([0; PREFIX], 0);
        }
        ends
    }

    /// Takes the next step into `bytes`, which are not empty.
    pub(super) fn feed<'a>(&mut self, bytes: &'a [u8]) -> EventStep<'a> {
        match &mut self.place {
            Place::Prefix(held, len) => {
                let room = held.get_mut(usize::from(*len)..).unwrap_or_default();
                let consumed = room.iter_mut().zip(bytes).map(|(place, byte)| *place = *byte).count();
                *len += u8::try_from(consumed).unwrap_or(0);
                let [flags, length @ ..] = *held;
                if usize::from(*len) == PREFIX {
                    self.flags = flags;
                    self.place = Place::Message(u32::from_be_bytes(length));
                }
                EventStep { consumed, part: EventPart::Framing }
            }
            Place::Message(left) => {
                let consumed = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= u32::try_from(consumed).unwrap_or(0);
                EventStep { consumed, part: EventPart::Data(bytes.get(..consumed).unwrap_or_default()) }
            }
        }
    }
}
