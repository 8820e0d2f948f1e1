//! Transcripts of connections that begin with PROXY headers.

use crate::driver::Transcript;

transcripts! {
    proxy_header_version_1: r"
        >>> PROXY TCP4 198.51.100.7 192.0.2.2 4000 80\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a | 200 proxy 198.51.100.7", "GET /b | 201 proxy 198.51.100.7"];

    proxy_header_alone_in_its_segment: r"
        >>> PROXY UNKNOWN\r\n
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a | 200 proxy unknown"];

    proxy_header_version_2: r"
        >>> \r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc6\x33\x64\x07\xc0\0\x02\x02\x0f\xa0\0\x50GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a | 200 proxy 198.51.100.7"];

    proxy_header_version_2_with_fields_behind_the_addresses: r"
        >>> \r\n\r\n\0\r\nQUIT\n\x21\x11\0\x1e\xc6\x33\x64\x07\xc0\0\x02\x02\x0f\xa0\0\x50\x02\0\x08GET /t H\x04\0\x04aaaaGET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a | 200 proxy 198.51.100.7", "GET /b | 201 proxy 198.51.100.7"];

    proxy_header_of_version_2_for_the_proxy_itself: r"
        >>> \r\n\r\n\0\r\nQUIT\n\x20\x11\0\x0c\xc6\x33\x64\x07\xc0\0\x02\x02\x0f\xa0\0\x50GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a | 200 proxy unknown", "GET /b | 201 proxy unknown"];

    proxy_header_version_1_of_unknown_origin_with_addresses: r"
        >>> PROXY UNKNOWN ffff:f::1 ffff:f::2 65535 65535\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a | 200 proxy unknown", "GET /b | 201 proxy unknown"];

    proxy_header_in_several_segments: r"
        >>> P
        >>> ROXY TCP4 198.51
        >>> .100.7 192.0.2.2 4000 80\r
        >>> \nGET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a | 200 proxy 198.51.100.7", "GET /b | 201 proxy 198.51.100.7"];

    proxy_header_version_2_in_several_segments: r"
        >>> \r\n\r\n\0
        >>> \r\nQUIT\n\x21\x11\0\x13\xc6\x33
        >>> \x64\x07\xc0\0\x02\x02\x0f\xa0\0\x50\x04
        >>> \0\x04aaaaGET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a | 200 proxy 198.51.100.7", "GET /b | 201 proxy 198.51.100.7"];

    proxy_header_before_pipelined_requests: r"
        >>> PROXY TCP4 198.51.100.7 192.0.2.2 4000 80\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n
        >>> GET /c HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nb
        <<< HTTP/1.1 202 OK\r\nContent-Length: 1\r\n\r\nc
    " => [
        "GET /a | 200 +1 proxy 198.51.100.7",
        "GET /b | 201 +1 proxy 198.51.100.7 !pipelined",
        "GET /c | 202 +1 proxy 198.51.100.7 !pipelined",
    ];

    proxy_header_that_cannot_be_read: r"
        >>> PROXY TCP9 nobody nowhere\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a !invalid-proxy-header | 200"];

    proxy_header_of_version_2_that_cannot_be_read: r"
        >>> \r\n\r\n\0\r\nQUIT\n\x2f\x11\0\x0c\xc6\x33\x64\x07\xc0\0\x02\x02\x0f\xa0\0\x50GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a !invalid-proxy-header | 200"];

    proxy_header_of_version_2_that_is_too_long: r"
        >>> \r\n\r\n\0\r\nQUIT\n\x21\x11\x20\0{8192*x}GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a !invalid-proxy-header | 200"];

    a_second_proxy_header: r"
        >>> PROXY TCP4 198.51.100.7 192.0.2.2 4000 80\r\nPROXY TCP4 203.0.113.9 192.0.2.2 4000 80\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
        >>> GET /b HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 201 OK\r\nContent-Length: 0\r\n\r\n
    " => [
        "GET /a !duplicate-proxy-header | 200 proxy 198.51.100.7",
        "GET /b | 201 proxy 198.51.100.7",
    ];

    a_second_proxy_header_of_the_other_version_in_segments_of_its_own: r"
        >>> PROXY TCP4 198.51.100.7 192.0.2.2 4000 80\r\n
        >>> \r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xcb\0
        >>> \x71\x09\xc0\0\x02\x02\x0f\xa0\0\x50
        >>> PROXY UNKNOWN\r\n
        >>> GET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a !duplicate-proxy-header | 200 proxy 198.51.100.7"];

    a_second_proxy_header_that_cannot_be_read: r"
        >>> PROXY TCP4 198.51.100.7 192.0.2.2 4000 80\r\nPROXY TCP9 nobody nowhere\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r\n
        <<< HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n
    " => ["GET /a !invalid-proxy-header !duplicate-proxy-header | 200 proxy 198.51.100.7"];
}
