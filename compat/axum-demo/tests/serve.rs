//! The server as its clients see it, and what the program is made of.
//!
//! The client is hyper's, so the patch is under both sides; where bytes matter, a plain socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, ChildStdout, Command, Stdio};

use axum::body::{Body, Bytes};
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;

/// A server that runs, on a port that was free.
struct Server {
    program: Child,
    lines: BufReader<ChildStdout>,
    address: String,
}

impl Server {
    fn start(workers: &str) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_axum-demo"))
            .args(["0", workers])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(program.stdout.take().unwrap());
        let mut server = Self {
            program,
            lines,
            address: String::new(),
        };
        let line = server.line();
        server.address = line.strip_prefix("listening on ").expect(&line).to_owned();
        server
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(&self.address).unwrap()
    }

    fn send(&self, signal: &str) {
        let kill = format!("kill -{signal} {}", self.program.id());
        let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success());
    }

    async fn ask(
        &self,
        client: &Web,
        method: Method,
        path: &str,
        body: Body,
    ) -> (StatusCode, Bytes) {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address));
        let answer = client.request(request.body(body).unwrap()).await.unwrap();
        (
            answer.status(),
            answer.into_body().collect().await.unwrap().to_bytes(),
        )
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

type Web = Client<HttpConnector, Body>;

fn client() -> Web {
    Client::builder(TokioExecutor::new()).build_http()
}

/// Reads one answer whose length is known; gives its head and its body.
fn read_answer(stream: &mut TcpStream) -> (String, String) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).expect(&head);
    let length = length.lines().next().unwrap().parse().unwrap();
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

/// Nobody is answered before all are there, so all are in the server at once.
async fn two_hundred_meet(workers: &str) {
    let server = std::sync::Arc::new(Server::start(workers));
    let client = client();
    let mut clients = JoinSet::new();
    for _ in 0..200 {
        let (server, client) = (server.clone(), client.clone());
        clients.spawn(async move {
            server
                .ask(&client, Method::GET, "/meet/200", Body::empty())
                .await
        });
    }
    for (status, body) in clients.join_all().await {
        assert_eq!((status, &body[..]), (StatusCode::OK, &b"met\n"[..]));
    }
}

#[tokio::test]
async fn two_hundred_requests_are_in_the_loop_at_once() {
    two_hundred_meet("0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_requests_are_in_two_workers_at_once() {
    two_hundred_meet("2").await;
}

#[test]
fn a_connection_is_kept_and_takes_requests_ahead() {
    let server = Server::start("0");
    let mut stream = server.connect();
    let request = b"GET / HTTP/1.1\r\nHost: test\r\n\r\n";
    for _ in 0..3 {
        stream.write_all(request).unwrap();
        let (head, body) = read_answer(&mut stream);
        assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
        assert_eq!(body, "hello from axum\n");
    }
    stream.write_all(&request.repeat(5)).unwrap();
    for _ in 0..5 {
        assert_eq!(read_answer(&mut stream).1, "hello from axum\n");
    }
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")
        .unwrap();
    let mut rest = String::new();
    stream.read_to_string(&mut rest).unwrap();
    assert!(rest.ends_with("\r\n\r\nhello from axum\n"), "{rest}");
}

#[tokio::test]
async fn a_streamed_body_arrives_whole() {
    let server = Server::start("2");
    let lines = 100_000;
    let (status, body) = server
        .ask(
            &client(),
            Method::GET,
            &format!("/numbers/{lines}"),
            Body::empty(),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    let expected: String = (0..lines).map(|number| format!("{number}\n")).collect();
    assert!(
        body == expected.as_bytes(),
        "{} bytes of {}",
        body.len(),
        expected.len()
    );
}

#[tokio::test]
async fn a_streamed_body_begins_before_it_ends() {
    let server = Server::start("0");
    // More than any buffer between the two holds: it ends only if it is read.
    let request = Request::get(format!("http://{}/numbers/1000000000", server.address));
    let answer = client()
        .request(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let mut body = answer.into_body();
    let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert!(first.starts_with(b"0\n"), "{first:?}");
    drop(body);
    // The client has left in the middle, and the server goes on.
    let (_, body) = server.ask(&client(), Method::GET, "/", Body::empty()).await;
    assert_eq!(&body[..], b"hello from axum\n");
}

#[tokio::test]
async fn a_posted_body_comes_back() {
    let server = Server::start("2");
    let sent: Bytes = (0..1_000_000_u32).map(|n| n as u8).collect();
    let (status, body) = server
        .ask(&client(), Method::POST, "/echo", Body::from(sent.clone()))
        .await;
    assert_eq!(status, StatusCode::OK);
    assert!(body == sent, "{} bytes came back", body.len());
}

#[tokio::test]
async fn who_asks_for_what_is_not_there_is_told_so() {
    let server = Server::start("0");
    let (status, _) = server
        .ask(&client(), Method::GET, "/nowhere", Body::empty())
        .await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    let (status, _) = server
        .ask(&client(), Method::GET, "/slow/soon", Body::empty())
        .await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[test]
fn on_a_signal_what_was_asked_is_answered_and_the_program_ends() {
    for (workers, signal) in [("0", "TERM"), ("2", "INT")] {
        let mut server = Server::start(workers);
        let (mut held, mut idle) = (server.connect(), server.connect());
        held.write_all(b"GET /hold HTTP/1.1\r\nHost: test\r\n\r\n")
            .unwrap();
        idle.write_all(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            .unwrap();
        read_answer(&mut idle);
        assert_eq!(server.line(), "holding a request");
        server.send(signal);
        // This one's handler waits for the signal, so it was open when it came.
        assert_eq!(read_answer(&mut held).1, "held until the end\n");
        assert_eq!(held.read(&mut [0]).unwrap(), 0, "closed after its answer");
        assert_eq!(
            idle.read(&mut [0]).unwrap(),
            0,
            "closed, as it had no request"
        );
        assert_eq!(server.line(), "stopped: every request has been answered");
        assert!(server.program.wait().unwrap().success());
        TcpStream::connect(&server.address).expect_err("nobody listens any more");
    }
}

#[test]
fn there_is_no_second_runtime_in_the_program() {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--prefix", "none", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(tree.status.success(), "{tree:?}");
    let tree = String::from_utf8(tree.stdout).unwrap();
    let named = |name: &str| -> Vec<&str> {
        let mut found: Vec<_> = tree
            .lines()
            .filter(|line| line.split(' ').next() == Some(name))
            .collect();
        found.sort();
        found.dedup();
        found
            .iter()
            .map(|line| line.trim_end_matches(" (*)"))
            .collect()
    };
    assert_eq!(named("axum").len(), 1, "{tree}");
    assert!(
        named("axum")[0].starts_with("axum v0.8") && !named("axum")[0].contains('('),
        "from the registry"
    );
    let mut tokio = named("tokio");
    tokio.dedup();
    assert_eq!(tokio.len(), 1, "{tokio:?}");
    assert!(tokio[0].ends_with("compat/tokio)"), "{tokio:?}");
    for other in ["async-std", "smol", "async-io", "tokio-macros"] {
        assert!(named(other).is_empty(), "{other} is in the program");
    }
}
