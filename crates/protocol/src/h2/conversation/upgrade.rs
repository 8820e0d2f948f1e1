//! HTTP/1.1 that gives way to HTTP/2 in clear text (RFC 7540, 3.2).

use super::Conversation;
use crate::h2::reader::Reader;
use crate::h2::streams::{Half, Progress};
use crate::output::Output;
use crate::{Direction, Exchange, ExchangeSink};

impl Conversation {
    /// Behind the 101 of `exchange`, whose request is stream 1 and will be answered there.
    pub(crate) fn upgraded<E: ExchangeSink>(out: &mut Output<'_, E>, exchange: Exchange) -> Self {
        let Exchange { flow, request, response, mut interim, anomalies, .. } = exchange;
        let mut http = Self::with(flow.client, flow.proxy, Reader::client(), Reader::server());
        let settings = request.as_ref().and_then(|request| request.head.header(b"http2-settings"));
        if let Some(settings) = settings.map(|value| decode(value.bytes())) {
            http.settings(Direction::ToServer, &settings);
        }
        let index = http.streams.add(1);
        if let Some(stream) = http.streams.get(index) {
            interim.iter_mut().find(|code| **code == 0).into_iter().for_each(|code| *code = 101);
            stream.interim = interim;
            stream.anomalies = anomalies;
            stream.request = Half { progress: Progress::Ended, message: request, losses: 0 };
        }
        http.streams.recount(index);
        out.counters.interim_responses += 1;
        response.into_iter().for_each(|response| out.give_back(response));
        http
    }
}

/// Base64url without padding (RFC 4648, 5), as far as it goes.
fn decode(text: &[u8]) -> Vec<u8> {
    let value = |symbol: &u8| match symbol {
        b'A'..=b'Z' => Some(symbol - b'A'),
        b'a'..=b'z' => Some(symbol - b'a' + 26),
        b'0'..=b'9' => Some(symbol - b'0' + 52),
        b'-' | b'+' => Some(62),
        b'_' | b'/' => Some(63),
        _ => None,
    };
    let (mut bits, mut filled, mut bytes) = (0_u32, 0, Vec::new());
    for value in text.iter().take(1_024).map_while(value) {
        bits = bits << 6 | u32::from(value);
        filled += 6;
        if filled >= 8 {
            filled -= 8;
            bytes.push((bits >> filled & 0xff).try_into().unwrap_or_default());
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::decode;
    use crate::h2::frame::settings;

    #[test]
    fn rfc7540_3_2_1_settings_in_a_field() {
        let read: Vec<_> = settings(&decode(b"AAMAAABkAAQAoAAAAAIAAAAA")).collect();
        assert_eq!(read, [(3, 100), (4, 10_485_760), (2, 0)]);
        assert!(decode(b"").is_empty());
    }
}
