use super::*;
use proptest::prelude::*;
use quick_xml::events::Event;

fn read(pieces: &[&[u8]]) -> Reading {
    let mut xml = Xml::default();
    pieces.iter().for_each(|piece| xml.feed(piece));
    xml.finish(true)
}

fn one(text: &str) -> Reading {
    read(&[text.as_bytes()])
}

#[test]
fn elements_and_attributes_are_fields() {
    let reading = one(
        "<?xml version=\"1.0\"?>\n<!-- > -- -->\n<o:order xmlns:o='urn:o' id=\"1\"><line n='1'/><line n='2' />x &lt; y\
        <![CDATA[<not a='tag'>]]]]></o:order>\n",
    );
    assert_eq!((reading.state, reading.fields), (PayloadState::Read, 4));
    assert_eq!(reading.shape, one("<order id=''><line n=''></line></order>").shape);
    assert!(reading.notes.is_none() && reading.anomalies.is_empty());
}

#[test]
fn what_is_no_xml_is_invalid() {
    for text in [
        "",
        "plain",
        "<a>",
        "<a></b>",
        "</a>",
        "<a/><b/>",
        "<a b></a>",
        "<a b=c/>",
        "<a/>x",
        "<1/>",
        "<a>&;</a>",
        "<a>& b</a>",
        "<a b='<'/>",
        "<!DOCTYPE a",
        "<a / >",
        "<p>one<br>two</p>",
    ] {
        assert_eq!(one(text).state, PayloadState::Invalid, "{text}");
    }
}

#[test]
fn entities_are_named_and_not_expanded() {
    let laughs = "<?xml version=\"1.0\"?><!DOCTYPE l [<!ENTITY a \"ha>]\"><!ENTITY b \"&a;&a;\">]><l>&b;</l>";
    let reading = one(laughs);
    assert_eq!(reading.state, PayloadState::Read);
    assert_eq!(reading.anomalies.iter().collect::<Vec<_>>(), [Anomaly::XmlDoctype, Anomaly::XmlEntity]);
    let plain = one("<!DOCTYPE note SYSTEM \"note.dtd\"><note/>");
    assert_eq!(plain.anomalies.iter().collect::<Vec<_>>(), [Anomaly::XmlDoctype]);
}

#[test]
fn login_in_a_security_header() {
    let login = one("<wsse:UsernameToken><wsse:Username>alice</wsse:Username>\
        <wsse:Password Type=\"text\">a&amp;b</wsse:Password></wsse:UsernameToken>")
    .login
    .expect("a login");
    assert_eq!((login.user(), login.password()), (&b"alice"[..], &b"a&b"[..]));
}

#[test]
fn utf16_is_read_in_any_split() {
    let text = "<?xml version=\"1.0\" encoding=\"utf-16\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\">\
        <s:Body><Größe>\u{1f600}</Größe></s:Body></s:Envelope>";
    let plain = one(text);
    let called = |reading: &Reading| {
        let call = reading.notes.as_ref().and_then(|notes| notes.xml.clone()).expect("a call");
        call.body.expect("a body").as_str().to_owned()
    };
    assert_eq!((plain.state, called(&plain).as_str()), (PayloadState::Read, "Größe"));
    for mark in ["\u{feff}", ""] {
        let units: Vec<u16> = format!("{mark}{text}").encode_utf16().collect();
        for bytes in [
            units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<_>>(),
            units.iter().flat_map(|unit| unit.to_be_bytes()).collect(),
        ] {
            assert_eq!(read(&[&bytes]), plain);
            for size in [1, 2, 3, 7] {
                assert_eq!(read(&bytes.chunks(size).collect::<Vec<_>>()), plain, "pieces of {size}");
            }
            let cut = &bytes[..bytes.len() - 1];
            assert_eq!(read(&[cut]).state, PayloadState::Invalid);
        }
    }
}

#[test]
fn depth_is_bounded() {
    assert_eq!(one(&"<a>".repeat(100)).state, PayloadState::Partial);
    let deep = format!("{}{}", "<a>".repeat(64), "</a>".repeat(64));
    assert_eq!(one(&deep).state, PayloadState::Read);
}

/// Whether quick-xml reads it to its end as one element.
fn oracle(text: &str) -> bool {
    let mut reader = quick_xml::Reader::from_str(text);
    let (mut depth, mut roots) = (0_i32, 0);
    loop {
        match reader.read_event() {
            Ok(Event::Start(_)) => {
                roots += i32::from(depth == 0);
                depth += 1;
            }
            Ok(Event::Empty(_)) => roots += i32::from(depth == 0),
            Ok(Event::End(_)) => depth -= 1,
            Ok(Event::Eof) => return depth == 0 && roots == 1,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

proptest! {
    #[test]
    fn any_split_reads_alike(
        text in "(<a>|</a>|<b c='d'>|</b>|<e/>|<!--|-->|<!\\[CDATA\\[|\\]\\]>|<!DOCTYPE |\\[<!ENTITY|&lt;|[<>&;'\"= \\]\\[x?!-]){0,24}",
        cuts in prop::collection::vec(0_usize..100, 0..5),
    ) {
        let bytes = text.as_bytes();
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let pieces: Vec<_> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
        prop_assert_eq!(read(&pieces), read(&[bytes]));
        prop_assert_eq!(read(&bytes.chunks(1).collect::<Vec<_>>()), read(&[bytes]));
    }

    /// What is read to its end here, quick-xml reads too.
    #[test]
    fn whatever_is_read_is_read_by_the_oracle(text in "(<a>|</a>|<b c='d'>|</b>|<e/>|<!--y-->|x| ){0,12}") {
        if one(&text).state == PayloadState::Read {
            prop_assert!(oracle(&text), "{}", text);
        }
    }
}

/// A call of several of a blog's, each with a name and a password.
fn several(shown: &[(&str, &str)]) -> String {
    let call = |(name, password): &(&str, &str)| {
        format!(
            "<value><struct><member><name>methodName</name><value><string>wp.getUsersBlogs</string></value></member>\
             <member><name>params</name><value><array><data><value><array><data><value><string>{name}</string></value>\
             <value>{password}</value></data></array></value></data></array></value></member></struct></value>"
        )
    };
    let calls: String = shown.iter().map(call).collect();
    format!(
        "<?xml version='1.0'?><methodCall><methodName>system.multicall</methodName><params><param><value><array><data>\
         {calls}</data></array></value></param></params></methodCall>"
    )
}

fn counts(reading: &Reading) -> Counts {
    reading.notes.as_ref().and_then(|notes| notes.xml.as_ref()).map(|call| call.rpc).unwrap_or_default()
}

#[test]
fn passwords_within_one_call_of_several_are_counted() {
    let login = |reading: &Reading| reading.login.clone().unwrap_or_default();
    let guesses: Vec<String> = (0..50).map(|guess| format!("guess{guess}")).collect();
    let shown: Vec<(&str, &str)> = guesses.iter().map(|guess| ("admin", guess.as_str())).collect();
    let reading = one(&several(&shown));
    assert_eq!(counts(&reading), Counts { calls: 50, logins: 50, ..Counts::default() });
    assert_eq!((login(&reading).user(), login(&reading).password()), (&b"admin"[..], &b"guess49"[..]));
    // An editor shows the same with each of its calls; of several names none is the one.
    assert_eq!(counts(&one(&several(&[("jane", "right"); 9]))).logins, 1);
    let sprayed = one(&several(&[("jane", "winter"), ("john", "winter")]));
    assert_eq!((counts(&sprayed).logins, login(&sprayed).user()), (2, &b""[..]));
    // What was read of one body is not in the next.
    let mut xml = Xml::default();
    xml.feed(several(&shown).as_bytes());
    xml.finish(true);
    xml.feed(b"<methodCall><methodName>demo.add</methodName></methodCall>");
    let next = xml.finish(true);
    assert_eq!((counts(&next), next.login), (Counts { calls: 1, ..Counts::default() }, None));
}

#[test]
fn one_call_of_a_blog_shows_a_name_and_a_password() {
    let call = |method: &str, values: &str| {
        let reading = one(&format!(
            "<methodCall><methodName>{method}</methodName><params>{values}</params></methodCall>"
        ));
        reading.login.map(|login| String::from_utf8_lossy(login.user()).into_owned())
    };
    let param = |text: &str| format!("<param><value><string>{text}</string></value></param>");
    let three = format!("<param><value><int>1</int></value></param>{}{}", param("jane"), param("pw"));
    assert_eq!(call("wp.getPosts", &three).as_deref(), Some("jane"));
    assert_eq!(call("metaWeblog.newPost", &three).as_deref(), Some("jane"));
    assert_eq!(call("auth.login", &format!("{}{}", param("jane"), param("pw"))).as_deref(), Some("jane"));
    assert_eq!(call("demo.add", &three), None);
    assert_eq!(call("wp.getPosts", &param("1")), None);
}

#[test]
fn faults_that_refuse_a_password_are_counted() {
    let fault = |code: u32| {
        format!(
            "<value><struct><member><name>faultCode</name><value><int>{code}</int></value></member>\
             <member><name>faultString</name><value><string>no</string></value></member></struct></value>"
        )
    };
    let answer = |values: &str| {
        counts(&one(&format!(
            "<methodResponse><params><param><value><array><data>{values}</data></array></value></param></params></methodResponse>"
        )))
    };
    let text = "<value><string>403</string></value>".to_owned();
    let counted = answer(&[fault(403), fault(403), text, fault(404)].concat());
    assert_eq!((counted.faults, counted.refused), (3, 2));
    let single = one(&format!("<methodResponse><fault>{}</fault></methodResponse>", fault(403)));
    assert_eq!(counts(&single).refused, 1);
}
