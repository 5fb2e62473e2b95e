//! Libraries that name tokio, unmodified from the registry, each at a small piece of real work.
//!
//! What this shows is that they build and run with the patch; what they do beyond that, their own
//! tests know. No test needs a server that is not in here.

use std::io;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, mpsc, watch};

/// A listener on a free port, and its address.
async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

#[tokio::test]
async fn reqwest_asks_axum_in_json_and_reads_a_stream() {
    use axum::{Json, Router, body::Body, routing::post};
    let (listener, address) = listener().await;
    let double = async |Json(number): Json<u64>| Json(number * 2);
    let stream = async || {
        let lines =
            futures_util::stream::iter(0..1000).map(|n| Ok::<_, io::Error>(format!("{n}\n")));
        Body::from_stream(lines)
    };
    let app = Router::new()
        .route("/double", post(double))
        .route("/lines", post(stream));
    tokio::spawn(async move { axum::serve(listener, app).await });

    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(60))
        .build()
        .unwrap();
    let answer = client
        .post(format!("http://{address}/double"))
        .json(&21)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.json::<u64>().await.unwrap(), 42);

    let mut answer = client
        .post(format!("http://{address}/lines"))
        .send()
        .await
        .unwrap();
    let mut text = Vec::new();
    while let Some(piece) = answer.chunk().await.unwrap() {
        text.extend(piece);
    }
    assert_eq!(String::from_utf8(text).unwrap().lines().count(), 1000);
}

#[tokio::test]
async fn tungstenite_talks_and_closes() {
    use tokio_tungstenite::tungstenite::Message;
    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        while let Some(Ok(message)) = socket.next().await {
            if message.is_text() || message.is_binary() {
                socket.send(message).await.unwrap();
            }
        }
    });
    let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://{address}/"))
        .await
        .unwrap();
    for message in [Message::text("hello"), Message::binary(vec![7; 100_000])] {
        socket.send(message.clone()).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), message);
    }
    socket.close(None).await.unwrap();
    while socket.next().await.is_some() {}
    server.await.unwrap();
}

#[tokio::test]
async fn rustls_shakes_hands_and_carries_bytes() {
    use std::sync::Arc;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::ring};
    use tokio_rustls::{TlsAcceptor, TlsConnector};
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = own.cert.der().clone();
    let key = own.signing_key.serialize_der().try_into().unwrap();
    let provider = Arc::new(ring::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();

    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut stream = TlsAcceptor::from(Arc::new(server))
            .accept(stream)
            .await
            .unwrap();
        let mut bytes = vec![0; 300_000];
        stream.read_exact(&mut bytes).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        stream.shutdown().await.unwrap();
    });
    let stream = TcpStream::connect(address).await.unwrap();
    let name = "localhost".try_into().unwrap();
    let mut stream = TlsConnector::from(Arc::new(client))
        .connect(name, stream)
        .await
        .unwrap();
    let sent: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    stream.write_all(&sent).await.unwrap();
    stream.flush().await.unwrap();
    let mut back = Vec::new();
    stream.read_to_end(&mut back).await.unwrap();
    assert!(back == sent, "{} bytes came back", back.len());
    server.await.unwrap();
}

#[tokio::test]
async fn quinn_carries_a_stream_in_datagrams() {
    use quinn::{ClientConfig, Endpoint, ServerConfig};
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = own.cert.der().clone();
    let key = own.signing_key.serialize_der().try_into().unwrap();
    let config = ServerConfig::with_single_cert(vec![certificate.clone()], key).unwrap();
    let endpoint = Endpoint::server(config, "127.0.0.1:0".parse().unwrap()).unwrap();
    let address = endpoint.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let connection = endpoint.accept().await.unwrap().await.unwrap();
        let (mut send, mut receive) = connection.accept_bi().await.unwrap();
        let bytes = receive.read_to_end(1 << 20).await.unwrap();
        send.write_all(&bytes).await.unwrap();
        send.finish().unwrap();
        connection.closed().await;
    });
    let mut roots = tokio_rustls::rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let config = ClientConfig::with_root_certificates(std::sync::Arc::new(roots)).unwrap();
    endpoint.set_default_client_config(config);
    let connection = endpoint
        .connect(address, "localhost")
        .unwrap()
        .await
        .unwrap();
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    let sent: Vec<u8> = (0..300_000_u32).map(|n| n as u8).collect();
    send.write_all(&sent).await.unwrap();
    send.finish().unwrap();
    let back = receive.read_to_end(1 << 20).await.unwrap();
    assert!(back == sent, "{} bytes came back", back.len());
    connection.close(0_u32.into(), b"done");
    endpoint.wait_idle().await;
    server.await.unwrap();
}

#[tokio::test]
async fn redis_asks_a_server_of_ours() {
    let (listener, address) = listener().await;
    // Says +OK to what the client asks when it connects, and knows one value.
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await?;
        let mut input = Vec::new();
        while stream.read_buf(&mut input).await? > 0 {
            let text = String::from_utf8_lossy(&input).into_owned();
            if !text.ends_with("\r\n") {
                continue;
            }
            input.clear();
            for request in text.split('*').skip(1) {
                let answer: &[u8] = if request.contains("GET\r\n") {
                    b"$5\r\nvalue\r\n"
                } else {
                    b"+OK\r\n"
                };
                stream.write_all(answer).await?;
            }
        }
        io::Result::Ok(())
    });
    let client = redis::Client::open(format!("redis://{address}/")).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let value: String = redis::cmd("GET")
        .arg("key")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(value, "value");
    drop(connection);
    server.await.unwrap().unwrap();
}

#[tokio::test]
async fn postgres_says_that_nobody_is_there() {
    // No server here: the connection's way up to the refusal is what runs.
    let nobody = "host=127.0.0.1 port=1 user=nobody connect_timeout=60";
    let error = tokio_postgres::connect(nobody, tokio_postgres::NoTls)
        .await
        .err()
        .unwrap();
    assert!(!error.is_closed(), "{error}");
}

#[tokio::test]
async fn tokio_util_frames_tracks_and_cancels() {
    use tokio_util::codec::{Framed, LinesCodec};
    use tokio_util::sync::CancellationToken;
    use tokio_util::task::TaskTracker;
    let (ours, theirs) = tokio::io::duplex(8);
    let mut lines = Framed::new(ours, LinesCodec::new());
    let mut others = Framed::new(theirs, LinesCodec::new());
    let (token, tracker) = (CancellationToken::new(), TaskTracker::new());
    tracker.spawn(token.clone().cancelled_owned());
    tracker.spawn(async move {
        while let Some(Ok(line)) = others.next().await {
            others.send(line.to_uppercase()).await.unwrap();
        }
    });
    for line in ["hello", "a line that is longer than the pipe"] {
        lines.send(line).await.unwrap();
        assert_eq!(lines.next().await.unwrap().unwrap(), line.to_uppercase());
    }
    drop(lines);
    token.cancel();
    tracker.close();
    tracker.wait().await;
}

#[tokio::test(start_paused = true)]
async fn tokio_util_delays_and_pins() {
    use tokio_util::task::LocalPoolHandle;
    use tokio_util::time::DelayQueue;
    let mut queue = DelayQueue::new();
    for (name, seconds) in [("late", 3600), ("soon", 1), ("never", 60)] {
        let key = queue.insert(name, Duration::from_secs(seconds));
        if name == "never" {
            queue.remove(&key);
        }
    }
    let mut names = Vec::new();
    while let Some(expired) = queue.next().await {
        names.push(expired.into_inner());
    }
    assert_eq!(names, ["soon", "late"]);

    let pool = LocalPoolHandle::new(1);
    let not_send = pool.spawn_pinned(|| async { *std::rc::Rc::new(7) });
    assert_eq!(not_send.await.unwrap(), 7);
}

#[tokio::test]
async fn tokio_util_bridges_to_blocking_code() {
    use std::io::{BufRead, BufReader};
    use tokio_util::io::SyncIoBridge;
    let (ours, mut theirs) = tokio::io::duplex(16);
    let count = tokio::task::spawn_blocking(move || {
        BufReader::new(SyncIoBridge::new(ours)).lines().count()
    });
    for number in 0..100 {
        theirs
            .write_all(format!("{number}\n").as_bytes())
            .await
            .unwrap();
    }
    drop(theirs);
    assert_eq!(count.await.unwrap(), 100);
}

#[tokio::test(start_paused = true)]
async fn tokio_stream_wraps_channels_and_time() {
    use tokio_stream::wrappers::{BroadcastStream, IntervalStream, ReceiverStream, WatchStream};
    let (numbers, taken) = mpsc::channel(2);
    tokio::spawn(async move {
        for number in 0..10 {
            numbers.send(number).await.unwrap();
        }
    });
    assert_eq!(
        ReceiverStream::new(taken)
            .fold(0, async |sum, n| sum + n)
            .await,
        45
    );

    let (news, heard) = broadcast::channel(2);
    for number in 0..3 {
        news.send(number).unwrap();
    }
    drop(news);
    let heard: Vec<_> = BroadcastStream::new(heard)
        .map(|news| news.ok())
        .collect()
        .await;
    assert_eq!(heard, [None, Some(1), Some(2)]);

    let (state, seen) = watch::channel("old");
    state.send_replace("new");
    drop(state);
    assert_eq!(WatchStream::new(seen).collect::<Vec<_>>().await, ["new"]);

    let start = tokio::time::Instant::now();
    let ticks = IntervalStream::new(tokio::time::interval(Duration::from_secs(3600)));
    assert_eq!(ticks.take(4).count().await, 4);
    assert_eq!(start.elapsed(), Duration::from_secs(3 * 3600));
}

#[tokio::test(start_paused = true)]
async fn tower_limits_buffers_and_gives_up() {
    use tower::{BoxError, Service, ServiceBuilder, ServiceExt};
    let mut service = ServiceBuilder::new()
        .buffer(4)
        .concurrency_limit(2)
        .timeout(Duration::from_secs(10))
        .service_fn(async |seconds: u64| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok::<_, BoxError>(seconds)
        });
    assert_eq!(service.ready().await.unwrap().call(1).await.unwrap(), 1);
    let error = service.ready().await.unwrap().call(60).await.unwrap_err();
    assert!(error.is::<tower::timeout::error::Elapsed>(), "{error}");
}
