//! Each recipe of `docs/encrypted-traffic.md`: the software it is for writes its keys as the page says, and the sensor decrypts what
//! that software says.

use crate::host::Host;
use serde_json::Value;
use std::process::{Command, Stdio};
use tapwire_testkit::peers::has;
use tapwire_tests::workspace;

/// Calls the server on port 8443 with a client that tells no keys, and expects the exchange to be decrypted with those in `keys.log`.
fn server_is_decrypted(host: &Host, path: &str) {
    host.listens(8443);
    let sensor = host.sense(&["--keylog", "keys.log"]);
    for version in ["1.2", "1.3"] {
        host.call(&format!("{path}/{version}"), version, None);
        let event = sensor.event(&format!("{path}/{version}"));
        assert_eq!(event["unmapped"]["seen"]["decrypted"], Value::Bool(true), "{event}");
    }
}

/// A host with a certificate and an empty key log; `None` where something is missing, with a notice.
fn ready(programs: &[&str]) -> Option<Host> {
    let all = [&["openssl", "python3", "curl"], programs].concat();
    if !all.iter().all(|program| has(program)) {
        return None;
    }
    let host = Host::new()?;
    host.certificate();
    host.file("keys.log", "");
    Some(host)
}

fn recipe(name: &str) -> String {
    workspace().join("docs/recipes").join(name).display().to_string()
}

fn program(name: &str) -> String {
    workspace().join("fixtures/record/protocols").join(name).display().to_string()
}

fn runs(mut command: Command) {
    let output = command.stdin(Stdio::null()).output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn curl_writes_its_keys_by_sslkeylogfile() {
    let Some(mut host) = ready(&[]) else { return };
    let mut server = host.command("python3");
    server.args(["-c", crate::late::SERVER]);
    host.start(server);
    host.listens(8443);
    let sensor = host.sense(&["--keylog", "keys.log"]);
    let mut curl = host.command("curl");
    curl.args(["-sk", "https://127.0.0.1:8443/by-curl", "https://127.0.0.1:8443/wait"]).stdout(Stdio::null());
    curl.env("SSLKEYLOGFILE", host.path("keys.log"));
    assert!(curl.status().expect("curl").success());
    assert_eq!(sensor.event("/by-curl")["unmapped"]["seen"]["decrypted"], Value::Bool(true));
}

#[test]
fn nginx_writes_its_keys_with_the_preloaded_library() {
    let Some(mut host) = ready(&["nginx", "cc"]) else { return };
    let mut cc = host.command("cc");
    cc.args(["-O2", "-shared", "-fPIC", "-o", "sslkeylog.so", &recipe("sslkeylog.c"), "-ldl"]);
    runs(cc);
    let folder = host.folder.path().display().to_string();
    let scratch: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name}; "))
        .concat();
    let configuration = format!(
        "daemon off; pid {folder}/pid; error_log {folder}/error.log; user root; events {{}}\n\
         http {{ access_log off; {scratch} server {{ listen 8443 ssl http2; ssl_certificate {folder}/cert.pem; \
         ssl_certificate_key {folder}/key.pem; ssl_protocols TLSv1.2 TLSv1.3; location / {{ return 200 hello; }} }} }}"
    );
    let configuration = host.file("nginx.conf", &configuration);
    let mut nginx = host.command("nginx");
    nginx.args(["-e", "error.log", "-c", &configuration]);
    nginx.env("SSLKEYLOGFILE", host.path("keys.log")).env("LD_PRELOAD", host.path("sslkeylog.so"));
    host.start(nginx);
    server_is_decrypted(&host, "/by-nginx");
}

#[test]
fn haproxy_writes_its_keys_to_its_log() {
    let Some(mut host) = ready(&["haproxy"]) else { return };
    let pem =
        ["cert.pem", "key.pem"].map(|name| std::fs::read_to_string(host.path(name)).expect("a PEM file"));
    host.file("both.pem", &pem.concat());
    let configuration = std::fs::read_to_string(recipe("haproxy.cfg")).expect("the recipe");
    let configuration = configuration.replace("/etc/haproxy/site.pem", "both.pem");
    host.file("haproxy.cfg", &configuration);
    let mut haproxy = host.command("sh");
    haproxy.args(["-c", "exec haproxy -db -f haproxy.cfg >>keys.log"]);
    host.start(haproxy);
    server_is_decrypted(&host, "/by-haproxy");
}

#[test]
fn python_writes_its_keys_by_an_attribute_of_the_context() {
    let Some(mut host) = ready(&[]) else { return };
    let code = r#"
import http.server, ssl
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("cert.pem", "key.pem")
context.keylog_filename = "keys.log"
server = http.server.ThreadingHTTPServer(("127.0.0.1", 8443), Answer)
server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"#;
    let mut python = host.command("python3");
    python.args(["-c", code]);
    host.start(python);
    server_is_decrypted(&host, "/by-python");
}

#[test]
fn java_writes_its_keys_with_the_agent() {
    let Some(mut host) = ready(&["javac", "jar", "java"]) else { return };
    let exports = "java.base/jdk.internal.org.objectweb.asm=ALL-UNNAMED";
    let mut agent = host.command("javac");
    agent.args(["--add-exports", exports, "-d", "agent", &recipe("KeyLog.java")]);
    runs(agent);
    let mut jar = host.command("jar");
    jar.args(["--create", "--file", "keylog.jar", "--manifest", &recipe("KeyLog.mf"), "-C", "agent", "."]);
    runs(jar);
    let mut shop = host.command("javac");
    shop.args(["-d", "shop", &program("TlsShop.java")]);
    runs(shop);
    let mut store = host.command("openssl");
    store.args("pkcs12 -export -in cert.pem -inkey key.pem -passout pass:changeit -out shop.p12".split(' '));
    runs(store);
    let mut java = host.command("java");
    java.args(["-javaagent:keylog.jar=keys.log", "-cp", "shop", "TlsShop", "serve", "8443", "shop.p12"]);
    host.start(java);
    server_is_decrypted(&host, "/by-java");
}

#[test]
fn node_writes_its_keys_by_an_option() {
    let Some(mut host) = ready(&["node"]) else { return };
    let mut node = host.command("node");
    node.args(["--tls-keylog=keys.log", &program("tls_shop.mjs"), "serve", "8443", "cert.pem", "key.pem"]);
    host.start(node);
    server_is_decrypted(&host, "/by-node");
}

#[test]
fn go_writes_its_keys_by_a_field_of_its_configuration() {
    let Some(mut host) = ready(&["go"]) else { return };
    let mut go = host.command("go");
    go.args(["build", "-o", "tls_shop", &program("tls_shop.go")]);
    go.env("GO111MODULE", "off").env("GOCACHE", host.path("cache"));
    runs(go);
    let mut shop = host.command("./tls_shop");
    shop.args(["serve", ":8443", "cert.pem", "key.pem", "keys.log"]);
    host.start(shop);
    server_is_decrypted(&host, "/by-go");
}
