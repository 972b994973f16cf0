//! The accept loop, and the task of each connection.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Duration,
};

use hyper::rt::Executor;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::Sleep,
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{either::Either, sync::CancellationToken, task::TaskTracker};

use super::{
    addresses::{Addresses, TrustedProxies},
    connection::Connection,
    places::Places,
    slot::{Instruction, Slot},
};
use crate::{
    front::{Front, FrontDoor},
    telemetry::metrics::CONNECTIONS_CUT,
};

/// The pause after an error that accepting again does not get around, such as too many open files.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
/// The longest time from accepting a reserved connection to its first complete head.
const RESERVED_HEAD_WITHIN: Duration = Duration::from_secs(3);
/// How long an idle HTTP/2 connection that must make room has for saying goodbye.
const GOODBYE_WITHIN: Duration = Duration::from_secs(1);

/// How often an HTTP/2 peer is pinged, and how soon it must answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PONG_WITHIN: Duration = Duration::from_secs(10);
/// The largest list of headers of an HTTP/2 request, after decompression, as HTTP/2 counts it.
const HEADER_LIST_BYTES_MAX: u32 = 64 << 10;
/// Bytes of a request body that are received before the handler reads them. It is what a stream of lines counts for
/// among the bytes in flight.
const STREAM_WINDOW_BYTES: u32 = 256 << 10;
/// Streams that a peer has reset and the server has not noticed yet.
const PENDING_RESETS_MAX: usize = 64;
/// Streams that the server has reset because of errors of the peer, before it closes the connection.
const ERROR_RESETS_MAX: usize = 256;

/// The bounds of a server's connections besides its places.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections of one client address.
    pub per_address_max: usize,
    /// Addresses that are exempt from that bound.
    pub trusted_proxies: TrustedProxies,
    /// The longest time for the head of a request.
    pub head_within: Duration,
    /// Requests of one HTTP/2 connection at the same time.
    pub streams_max: u32,
}

/// A listener with its bounds.
pub struct Server {
    listener: TcpListener,
    places: Arc<Places>,
    addresses: Arc<Addresses>,
    http: Arc<Builder<StreamTasks>>,
    streams: TaskTracker,
    tls: Option<TlsAcceptor>,
    head_within: Duration,
}

impl Server {
    /// Serves the connections of `listener` in these places, with TLS if there is an acceptor.
    pub fn new(listener: TcpListener, places: Arc<Places>, limits: Limits, tls: Option<TlsAcceptor>) -> Self {
        let streams = TaskTracker::new();
        Self {
            listener,
            places,
            addresses: Addresses::new(limits.per_address_max, limits.trusted_proxies),
            http: Arc::new(http(StreamTasks(streams.clone()), limits.streams_max)),
            streams,
            tls,
            head_within: limits.head_within,
        }
    }

    /// Serves until `stop`, then finishes what is in flight. Dropping the future cuts all connections.
    pub async fn run(self, door: FrontDoor, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                (stream, peer) = accept(&self.listener) => {
                    if let Some(connection) = self.admit(stream, peer) {
                        let front = door.front(connection.slot().clone(), connection.peer());
                        let (http, tls) = (self.http.clone(), self.tls.clone());
                        connections.spawn(async move {
                            match tls {
                                Some(tls) => serve_tls(connection, tls, &http, front).await,
                                None => serve(Either::Left(connection), &http, front).await,
                            }
                        });
                    }
                }
                Some(ended) = connections.join_next() => note_end(ended),
                () = stop.cancelled() => break,
            }
        }
        let Self { listener, places, streams, .. } = self;
        // New connections are refused from here on.
        drop(listener);
        places.finish_all();
        while let Some(ended) = connections.join_next().await {
            note_end(ended);
        }
        streams.close();
        streams.wait().await;
    }

    /// The connection, unless its client has too many.
    fn admit(&self, stream: TcpStream, peer: SocketAddr) -> Option<Connection> {
        let Some(counted) = self.addresses.count(peer.ip()) else {
            metrics::counter!(CONNECTIONS_CUT.name, "reason" => "address").increment(1);
            tracing::debug!(%peer, "a connection is refused, because its address has too many");
            return None;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "connection without TCP_NODELAY");
        }
        let slot = self.places.add();
        let first_head_within = match slot.has_place() {
            true => self.head_within,
            false => self.head_within.min(RESERVED_HEAD_WITHIN),
        };
        Some(Connection::new(stream, slot, counted, first_head_within, self.head_within))
    }
}

/// Both versions of HTTP, with their bounds. The limits on HTTP/1.1 heads are those of hyper: 100 headers and 400 kB.
fn http(streams: StreamTasks, streams_max: u32) -> Builder<StreamTasks> {
    let mut builder = Builder::new(streams);
    // Hyper's own time limit of a head includes the time between two requests; the connection has a better one.
    builder.http1().header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PONG_WITHIN)
        .max_concurrent_streams(streams_max)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .max_header_list_size(HEADER_LIST_BYTES_MAX)
        .max_pending_accept_reset_streams(PENDING_RESETS_MAX)
        .max_local_error_reset_streams(ERROR_RESETS_MAX);
    builder
}

/// Runs the requests of HTTP/2 connections. Each ends when it is answered, or when its stream or connection ends.
#[derive(Clone)]
struct StreamTasks(TaskTracker);

impl<F: Future<Output: Send + 'static> + Send + 'static> Executor<F> for StreamTasks {
    fn execute(&self, request: F) {
        self.0.spawn(request);
    }
}

/// The next connection. Waits after errors that are not of one connection.
async fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error) if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) => {
            }
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

fn note_end(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "the task of a connection panicked");
    }
}

type Stream = Either<Connection, Box<tokio_rustls::server::TlsStream<Connection>>>;

/// Shakes hands, then serves. The connection's time limit for its first head includes the handshake.
async fn serve_tls(connection: Connection, tls: TlsAcceptor, http: &Builder<StreamTasks>, front: Front) {
    let slot = connection.slot().clone();
    let mut handshake = pin!(tls.accept(connection));
    let shaken = poll_fn(|cx| {
        slot.register(cx.waker());
        // A handshake is no request in flight.
        if slot.instruction() != Instruction::GoOn {
            return Poll::Ready(None);
        }
        handshake.as_mut().poll(cx).map(Some)
    });
    match shaken.await {
        Some(Ok(stream)) => serve(Either::Right(Box::new(stream)), http, front).await,
        Some(Err(error)) => tracing::debug!(%error, "a TLS handshake failed"),
        None => {}
    }
}

/// Serves the requests of a connection until it ends, or until its slot says so.
async fn serve(stream: Stream, http: &Builder<StreamTasks>, front: Front) {
    let slot = front.slot().clone();
    let mut connection = pin!(http.serve_connection_with_upgrades(TokioIo::new(stream), front));
    let mut ending = Ending::default();
    let ended = poll_fn(|cx| {
        slot.register(cx.waker());
        let instruction = slot.instruction();
        if instruction != Instruction::GoOn {
            if ending.is_first() {
                connection.as_mut().graceful_shutdown();
            }
            if instruction == Instruction::Leave || ending.is_over(instruction, &slot, cx) {
                return Poll::Ready(Ok(()));
            }
        }
        connection.as_mut().poll(cx)
    });
    if let Err(error) = ended.await {
        tracing::debug!(%error, "a connection ended with an error");
    }
}

/// The end of a connection that was asked to end.
#[derive(Default)]
struct Ending {
    has_begun: bool,
    goodbye: Option<Pin<Box<Sleep>>>,
}

impl Ending {
    /// Whether the connection is asked for the first time.
    fn is_first(&mut self) -> bool {
        !std::mem::replace(&mut self.has_begun, true)
    }

    /// Whether a connection that must make room has had its time. A connection with requests has all the time.
    fn is_over(&mut self, instruction: Instruction, slot: &Slot, cx: &mut std::task::Context<'_>) -> bool {
        if instruction != Instruction::MakeRoom {
            return false;
        }
        let goodbye = self.goodbye.get_or_insert_with(|| Box::pin(tokio::time::sleep(GOODBYE_WITHIN)));
        goodbye.as_mut().poll(cx).is_ready() && slot.is_quiet()
    }
}
