//! Keys that come after the traffic they are for.

use crate::host::Host;
use serde_json::Value;
use std::collections::BTreeSet;
use tapwire_testkit::peers::has;

/// Answers every request on kept-alive connections, one for `/wait` after a second.
pub(crate) const SERVER: &str = r#"
import http.server, ssl, time
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = b'{"state":"paid"}'
        time.sleep(self.path == "/wait")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), Answer)
server.request_queue_size = 128
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"#;

/// Makes CONNECTIONS, one every 20 ms, with EACH requests: every third ends when it has its answers, every third falls silent then, and
/// every third goes on for two seconds. The keys of each reach the log up to two seconds late.
const CLIENT: &str = r#"
import os, random, socket, ssl, threading, time
CONNECTIONS, EACH = 150, 20
chance = random.Random(5)
def talk(number):
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if number % 2:
        context.maximum_version = ssl.TLSVersion.TLSv1_2
    own = f"own.{number}"
    context.keylog_filename = own
    with context.wrap_socket(socket.create_connection(("127.0.0.1", 8443))) as connection:
        late = chance.uniform(1.9, 2) if number < 30 else chance.uniform(0, 2)
        threading.Timer(late, tell, [own]).start()
        stream = connection.makefile("rb")
        for request in range(EACH):
            connection.sendall(f"GET /late/{number}/{request} HTTP/1.1\r\nHost: shop.test\r\n\r\n".encode())
            while stream.readline().strip():
                pass
            stream.read(16)
            time.sleep(0.1 if number % 3 == 2 else 0.001)
        time.sleep(15 if number % 3 == 1 else 0)
def tell(own):
    with open(own) as lines, open("keys.log", "a") as log:
        log.write(lines.read())
threads = [threading.Thread(target=talk, args=[number], daemon=True) for number in range(CONNECTIONS)]
for thread in threads:
    thread.start()
    time.sleep(0.02)
time.sleep(5)
"#;

/// Hands a key log to the sensor's socket once it is there.
const TELL: &str = r#"
import os, socket, time
while not os.path.exists("aside.log") or os.path.getsize("aside.log") < 500:
    time.sleep(0.02)
sensor = socket.socket(socket.AF_UNIX)
sensor.connect("keys.sock")
sensor.sendall(open("aside.log", "rb").read())
"#;

#[test]
fn keys_that_come_late_open_what_waited_for_them() {
    if !has("python3") || !has("openssl") {
        return;
    }
    let Some(mut host) = Host::new() else { return };
    host.certificate();
    host.file("keys.log", "");
    let mut server = host.command("python3");
    server.args(["-c", SERVER]);
    host.start(server);
    host.listens(8443);
    let sensor = host.sense(&["--keylog", "keys.log"]);
    let mut client = host.command("python3");
    client.args(["-c", CLIENT]);
    let client = host.start(client);
    // Connections that are still open have shown theirs, too, when the client leaves them.
    host.waits_for(client);
    let (events, said) = sensor.stop();
    let paths: BTreeSet<String> = events.iter().filter_map(|line| decrypted_path(line)).collect();
    println!("{} of 3000 exchanges were decrypted", paths.len());
    assert!(paths.len() >= 2_997, "{} of 3000 exchanges were decrypted\n{}", paths.len(), said.join("\n"));
}

fn decrypted_path(line: &str) -> Option<String> {
    let event: Value = serde_json::from_str(line).ok()?;
    let whole = event.pointer("/unmapped/seen/decrypted") == Some(&Value::Bool(true))
        && event.pointer("/http_response/code") == Some(&Value::from(200));
    whole.then(|| event.pointer("/http_request/url/path").and_then(Value::as_str).map(str::to_owned))?
}

#[test]
fn a_pipe_and_a_socket_give_keys_like_a_file() {
    if !has("python3") || !has("openssl") {
        return;
    }
    let Some(mut host) = Host::new() else { return };
    host.certificate();
    let mut server = host.command("python3");
    server.args(["-c", SERVER]);
    host.start(server);
    host.listens(8443);
    let sensor = host.sense(&["--keylog", "fifo:keys.fifo", "--keylog", "unix:keys.sock"]);
    host.call("/by-fifo", "", Some("keys.fifo"));
    assert_eq!(sensor.event("/by-fifo")["unmapped"]["seen"]["decrypted"], Value::Bool(true));
    let mut keys = host.command("python3");
    keys.args(["-c", TELL]);
    host.start(keys);
    host.call("/by-socket", "", Some("aside.log"));
    assert_eq!(sensor.event("/by-socket")["unmapped"]["seen"]["decrypted"], Value::Bool(true));
}
