//! Slow calls: each order is priced by a service over HTTP, 16 requests at a time, and then all that are there are scored by
//! one call. Offsets and state are committed only when every call has ended, so nothing is lost with a process that ends in
//! the midst of them.
//!
//! `cargo run -p candlewick-examples --bin 13_slow_calls`

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use candlewick::{
    AsyncCall, AsyncOptions, BatchOptions, Completion, Consumed, Guarantee, I64Serde, ProcessError, Produced,
    Record, Retry, StreamsBuilder, StreamsConfig, StringSerde, Topology, TopologyErrors,
};
use candlewick_examples::{Example, Playground};

/// Asks the service what a hundred units of a currency are in dollars.
async fn ask(client: reqwest::Client, url: String) -> Result<i64, ProcessError> {
    let answer = client.get(url).send().await?.error_for_status()?;
    Ok(answer.text().await?.trim().parse()?)
}

/// An order in dollars. The request runs on the executor, which tells when it has ended: no thread waits for it.
fn in_dollars(service: &str, executor: tokio::runtime::Handle) -> AsyncCall<String, i64, i64> {
    let (client, service) = (reqwest::Client::new(), service.to_owned());
    AsyncCall::completing(move |order: Record<String, i64>, done: Completion<i64>| {
        let answer = ask(client.clone(), format!("{service}/rate/{}", order.key));
        executor.spawn(async move { done.complete(answer.await.map(|rate| order.value * rate / 100)) });
    })
}

/// Marks large orders; as a model would, it takes all of them at once.
fn score(orders: &[Record<String, i64>]) -> Result<Vec<String>, ProcessError> {
    Ok(orders
        .iter()
        .map(|order| format!("{} {}", order.value, if order.value > 500 { "check" } else { "ok" }))
        .collect())
}

fn topology(service: &str, executor: tokio::runtime::Handle) -> Result<Topology, TopologyErrors> {
    let options = AsyncOptions {
        concurrency: 16,
        // The results of one currency stay in the order of its orders.
        timeout: Duration::from_millis(500),
        retry: Retry { attempts_max: 8, backoff: Duration::from_millis(5), ..Retry::default() },
        ..AsyncOptions::default()
    };
    let builder = StreamsBuilder::new();
    builder
        .stream("orders", Consumed::<String, i64>::default())
        .async_map(options, in_dollars(service, executor))
        .named("in-dollars")
        .batch(BatchOptions { max: 100, ..BatchOptions::default() }, score)
        .named("score")
        .to("scored", Produced::default());
    builder.build()
}

const RATES: [(&str, i64); 3] = [("EUR", 108), ("GBP", 127), ("CHF", 113)];

/// A service that takes 20 ms for an answer, and is out of order for every twentieth request.
struct Service {
    url: String,
    requests: Arc<AtomicUsize>,
}

impl Service {
    fn start() -> Example<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let number = counted.fetch_add(1, Ordering::Relaxed);
                std::thread::spawn(move || drop(answer(connection, number)));
            }
        });
        Ok(Self { url, requests })
    }
}

fn answer(mut connection: TcpStream, number: usize) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?).lines().map_while(Result::ok);
    let asked = lines.next().unwrap_or_default();
    lines.find(String::is_empty);
    std::thread::sleep(Duration::from_millis(20));
    let rate = RATES.iter().find(|(currency, _)| asked.contains(currency)).map(|(_, rate)| rate.to_string());
    let (status, body) = match rate {
        Some(_) if number % 20 == 7 => ("503 Service Unavailable", String::new()),
        Some(rate) => ("200 OK", rate),
        None => ("404 Not Found", String::new()),
    };
    write!(
        connection,
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Orders of one currency after the other.
fn orders() -> Vec<(String, i64, i64)> {
    (0..120).map(|n| (RATES[n as usize % RATES.len()].0.to_owned(), n * 7, n)).collect()
}

/// Scores all orders; gives what came out, and how many requests it took.
fn run() -> Example<(Vec<(String, String)>, usize)> {
    let service = Service::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let playground = Playground::new(&["orders", "scored"])?;
    playground.write("orders", (StringSerde, I64Serde), orders())?;
    let config = StreamsConfig { guarantee: Guarantee::ExactlyOnce, ..StreamsConfig::new("slow-calls") };
    let running = playground.start_with(topology(&service.url, runtime.handle().clone())?, config)?;
    let scored = playground.read::<String, String>("scored", (StringSerde, StringSerde), orders().len())?;
    running.stop(Duration::from_secs(10))?;
    let requests = service.requests.load(Ordering::Relaxed);
    Ok((scored.into_iter().map(|(currency, score, _)| (currency, score)).collect(), requests))
}

fn main() -> Example {
    let (scored, requests) = run()?;
    for (currency, score) in scored.iter().take(6) {
        println!("{currency} {score}");
    }
    println!("… {} orders, {requests} requests", scored.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_order_is_priced_and_scored_once_in_the_order_of_its_currency() {
        let (scored, requests) = run().expect("it runs");
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        scored.into_iter().for_each(|(currency, score)| found.entry(currency).or_default().push(score));
        let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (currency, amount, _) in orders() {
            let rate = RATES.iter().find(|(known, _)| *known == currency).expect("they are all known").1;
            let dollars = amount * rate / 100;
            let word = if dollars > 500 { "check" } else { "ok" };
            expected.entry(currency).or_default().push(format!("{dollars} {word}"));
        }
        assert_eq!(found, expected);
        assert!(requests > orders().len(), "what failed was asked again: {requests} requests");
    }

    #[test]
    fn the_program_runs() {
        main().expect("it ends well");
    }

    #[test]
    fn the_topology_gives_the_same_in_the_test_driver() {
        let service = Service::start().expect("a port is free");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("threads");
        let topology = topology(&service.url, runtime.handle().clone()).expect("valid");
        let driver = candlewick::TopologyTestDriver::new(topology);
        let orders = driver.input_topic("orders", StringSerde, I64Serde);
        orders.pipe("EUR".to_owned(), 1_000, 0.into()).expect("processed");
        orders.pipe("GBP".to_owned(), 100, 1.into()).expect("processed");
        let scored = driver.output_topic::<String, String>("scored", StringSerde, StringSerde).read_all();
        let scores: Vec<String> = scored.into_iter().map(|(_, score, _)| score).collect();
        assert_eq!(scores, ["1080 check", "127 ok"]);
        let fault = orders.pipe("XYZ".to_owned(), 1, 2.into()).expect_err("there is no rate");
        assert!(fault.to_string().contains("in-dollars") && fault.to_string().contains("404"), "{fault}");
    }
}
