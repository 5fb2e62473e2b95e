//! 17 crawler: many requests, not too many at once, and none that waits for ever.
//!
//! Teaches bounded concurrency: a `JoinSet` holds the requests under way and gives each result as
//! it comes; when one ends, the next begins. Each has a time limit, and is tried again, a little
//! later each time. The site is our own: 50 pages, 20 ms away. In the lab's map: `200 × wait`.
//!
//! Run: `cargo run --release --example 17-crawler`
//!
//! Expected output:
//!
//! ```text
//! -- 1. wrong: one request after the other
//! all pages after 1120 ms; never more than 1 asked for at once
//! -- 2. wrong: as many at once as there are links
//! pages are lost after 71 ms: the site refuses what is above 16 at once
//! -- 3. cured: 8 at once, a time limit, and again later
//! page 7: no answer in time, tried again
//! all pages after 1073 ms; never more than 8 asked for at once
//! next: 18-child-processes runs other programs, and reads what they print
//! ```

use trefoil as rt; // or: use tokio as rt;

use std::collections::{HashSet, VecDeque};
use std::io::{Error, Result};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rt::io::{AsyncReadExt, AsyncWriteExt};
use rt::net::{TcpListener, TcpStream};
use rt::task::JoinSet;
use rt::time::{sleep, timeout};

/// Far above what a page takes; without it one silent server stops a crawl for ever.
const LIMIT: Duration = Duration::from_secs(1);

/// What the site knows of itself.
#[derive(Default)]
struct Site {
    /// Requests in it now, and the most there ever were.
    now: u32,
    most: u32,
    /// True: who asks for page 7 next will wait in vain.
    trick: bool,
}

/// Answers one request: three links down, one up.
async fn answer(site: Arc<Mutex<Site>>, mut stream: TcpStream) -> Result<()> {
    let page = stream.read_u8().await?;
    let (now, silent) = {
        let mut site = site.lock().unwrap();
        site.now += 1;
        site.most = site.most.max(site.now);
        (site.now, page == 7 && std::mem::take(&mut site.trick))
    };
    if silent {
        // Until the other side has had enough, and closes.
        stream.read_u8().await.ok();
    } else if now <= 16 {
        sleep(Duration::from_millis(20)).await;
    }
    // Before the answer, or the next request could come in between.
    site.lock().unwrap().now -= 1;
    if now <= 16 {
        let links = [page * 3 + 1, page * 3 + 2, page * 3 + 3, page / 3];
        // 49 is the last page.
        stream.write_all(&links.map(|page| page.min(49))).await?;
    }
    Ok(())
}

/// Asks for one page, once; gives its links. (A byte for the page, four back: 14 has real HTTP.)
async fn get(address: SocketAddr, page: u8) -> Result<[u8; 4]> {
    let mut stream = TcpStream::connect(address).await?;
    stream.write_u8(page).await?;
    let mut links = [0; 4];
    stream.read_exact(&mut links).await?;
    Ok(links)
}

/// Asks for one page up to `tries` times, each time a little later.
async fn get_again(address: SocketAddr, page: u8, tries: u32) -> Result<[u8; 4]> {
    for again in 0..tries {
        // What runs out of time is dropped where it waits, and its connection with it (09).
        match timeout(LIMIT, get(address, page)).await {
            Ok(Ok(links)) => return Ok(links),
            Ok(Err(_)) if tries == 1 => {}
            Ok(Err(_)) => println!("page {page}: refused, tried again"),
            Err(_) => println!("page {page}: no answer in time, tried again"),
        }
        // Who has too much to do is not helped by being asked again at once.
        sleep(Duration::from_millis(50) * 2_u32.pow(again)).await;
    }
    Err(Error::other("no answer, however often it was asked"))
}

/// Follows all links, with at most `width` requests at once; gives how many pages it has got.
async fn crawl(address: SocketAddr, width: usize, tries: u32) -> u32 {
    let (mut known, mut waiting) = (HashSet::from([0]), VecDeque::from([0]));
    let (mut under_way, mut pages) = (JoinSet::new(), 0);
    loop {
        while under_way.len() < width
            && let Some(page) = waiting.pop_front()
        {
            under_way.spawn(get_again(address, page, tries));
        }
        // As they end, not as they began: a slow page holds up nobody but its own links.
        match under_way.join_next().await {
            Some(Ok(Ok(links))) => {
                pages += 1;
                waiting.extend(links.into_iter().filter(|link| known.insert(*link)));
            }
            Some(_) => {}
            None => return pages,
        }
    }
}

#[rt::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let site = Arc::new(Mutex::new(Site::default()));
    let shared = site.clone();
    rt::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            rt::spawn(answer(shared.clone(), stream));
        }
    });
    for (title, width, tries) in [
        ("1. wrong: one request after the other", 1, 1),
        ("2. wrong: as many at once as there are links", 50, 1),
        ("3. cured: 8 at once, a time limit, and again later", 8, 4),
    ] {
        println!("-- {title}");
        let (now, most, trick) = (0, 0, tries > 1);
        *site.lock().unwrap() = Site { now, most, trick };
        let start = Instant::now();
        let pages = crawl(address, width, tries).await;
        let (ms, most) = (start.elapsed().as_millis(), site.lock().unwrap().most);
        if pages == 50 {
            println!("all pages after {ms} ms; never more than {most} asked for at once");
        } else {
            println!("pages are lost after {ms} ms: the site refuses what is above 16 at once");
        }
    }
    println!("next: 18-child-processes runs other programs, and reads what they print");
    Ok(())
}
