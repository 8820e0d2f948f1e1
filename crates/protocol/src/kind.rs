//! What connections speak, for counting those that are not read.

/// What a connection speaks, by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Kind {
    /// No payload, or nothing that could be recognised yet.
    #[default]
    Unknown,
    /// HTTP/1.
    Http1,
    /// HTTP/2.
    Http2,
    /// TLS or SSL.
    Tls,
    /// SSH.
    Ssh,
    /// WebSocket behind an upgrade.
    WebSocket,
    /// MySQL and MariaDB.
    MySql,
    /// PostgreSQL.
    PostgreSql,
    /// MongoDB.
    MongoDb,
    /// Redis and its kin.
    Redis,
    /// AMQP.
    Amqp,
    /// MQTT.
    Mqtt,
    /// SMTP, POP3, IMAP and FTP, which greet alike.
    Mail,
    /// Nothing known.
    Other,
}

impl Kind {
    /// Every kind, in the order of the counters.
    pub const ALL: [Self; 14] = [
        Self::Unknown,
        Self::Http1,
        Self::Http2,
        Self::Tls,
        Self::Ssh,
        Self::WebSocket,
        Self::MySql,
        Self::PostgreSql,
        Self::MongoDb,
        Self::Redis,
        Self::Amqp,
        Self::Mqtt,
        Self::Mail,
        Self::Other,
    ];

    /// As summaries spell it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Http1 => "http/1",
            Self::Http2 => "http/2",
            Self::Tls => "tls",
            Self::Ssh => "ssh",
            Self::WebSocket => "websocket",
            Self::MySql => "mysql",
            Self::PostgreSql => "postgresql",
            Self::MongoDb => "mongodb",
            Self::Redis => "redis",
            Self::Amqp => "amqp",
            Self::Mqtt => "mqtt",
            Self::Mail => "mail or ftp",
            Self::Other => "other",
        }
    }

    /// Whether exchanges are read of it.
    pub const fn is_read(self) -> bool {
        matches!(self, Self::Http1 | Self::Http2 | Self::WebSocket)
    }

    /// The kind that these first bytes of a chunk show, when they are no HTTP.
    pub(crate) fn of_first_bytes(bytes: &[u8]) -> Option<Self> {
        let begins = |known: &[&[u8]]| known.iter().any(|known| bytes.starts_with(known));
        match () {
            () if begins(&[b"SSH-"]) => Some(Self::Ssh),
            () if begins(&[b"AMQP\0", b"AMQP\x01", b"AMQP\x03"]) => Some(Self::Amqp),
            () if is_mqtt(bytes) => Some(Self::Mqtt),
            () if is_mysql(bytes) => Some(Self::MySql),
            () if is_postgresql(bytes) => Some(Self::PostgreSql),
            () if is_mongodb(bytes) => Some(Self::MongoDb),
            () if is_redis(bytes) => Some(Self::Redis),
            () if begins(&[b"220 ", b"220-", b"EHLO ", b"HELO ", b"+OK ", b"* OK "]) => Some(Self::Mail),
            () => None,
        }
    }
}

/// CONNECT, its length in one byte or two, and the protocol's name (MQTT 5.0, 3.1; 3.1 has another name).
fn is_mqtt(bytes: &[u8]) -> bool {
    let behind = |at: usize| bytes.get(at..).unwrap_or_default();
    let named = |rest: &[u8]| rest.starts_with(b"\0\x04MQTT") || rest.starts_with(b"\0\x06MQIsdp");
    bytes.first() == Some(&0x10) && (named(behind(2)) || named(behind(3)))
}

/// The server's greeting: length, number 0, protocol 10, and a version (Client/Server Protocol, Handshake v10).
fn is_mysql(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, 0, 0, 10, b'0'..=b'9', ..])
}

/// The client's start-up message, or its wish for TLS: a length, and a number that nothing else has (Message Formats).
fn is_postgresql(bytes: &[u8]) -> bool {
    matches!(bytes, [0, 0, _, _, 0, 3, 0, 0 | 2, ..] | [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f, ..])
}

/// A message's head: length, two numbers, and one of two operations that are still sent (Wire Protocol).
fn is_mongodb(bytes: &[u8]) -> bool {
    matches!(bytes, [_, _, _, 0, _, _, _, _, _, _, _, _, 0xdd | 0xd4, 7, 0, 0, ..])
}

/// A command: how many words, and how long the first is (RESP).
fn is_redis(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"*") else { return false };
    let digits = rest.iter().take(8).take_while(|byte| byte.is_ascii_digit()).count();
    digits > 0 && rest.get(digits..).is_some_and(|rest| rest.starts_with(b"\r\n$"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_tell_what_is_not_read() {
        let known: [(&[u8], Kind); 9] = [
            (b"SSH-2.0-OpenSSH_9.2\r\n", Kind::Ssh),
            (b"AMQP\0\0\x09\x01", Kind::Amqp),
            (b"\x10\x10\0\x04MQTT\x05", Kind::Mqtt),
            (b"\x4a\0\0\0\x0a8.0.36\0", Kind::MySql),
            (b"\0\0\0\x29\0\x03\0\0user\0", Kind::PostgreSql),
            (b"\0\0\0\x08\x04\xd2\x16\x2f", Kind::PostgreSql),
            (b"\x3a\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0", Kind::MongoDb),
            (b"*3\r\n$3\r\nSET\r\n", Kind::Redis),
            (b"220 mail.test ESMTP\r\n", Kind::Mail),
        ];
        for (bytes, kind) in known {
            assert_eq!(Kind::of_first_bytes(bytes), Some(kind));
        }
        for other in [&b""[..], b"*", b"*a\r\n", b"hello", &[0; 40]] {
            assert_eq!(Kind::of_first_bytes(other), None, "{other:?}");
        }
    }

    #[test]
    fn counters_stand_in_the_order_of_kinds() {
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index);
        }
    }
}
