//! `freehold up`: a node in this process.

mod banner;
mod live;
mod running;
mod watch;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{ValueEnum, ValueHint};
use node::Config;

use self::banner::Banner;
use self::live::Live;
use self::running::Running;
use self::watch::Watch;
use super::signals::Signals;
use crate::function;
use crate::package::{Options, Package};
use crate::problem::{Exit, Problem};
use crate::session::Session;

const EXAMPLES: &str = "\
Examples:
  freehold up                       what was deployed before is there again
  freehold up examples/hello        deploy this, watch it, redeploy what is saved
  freehold up . --memory            keep nothing: for tests
  freehold up --listen 0.0.0.0:4566 --auth iam --sandbox required
  freehold up --listen 127.0.0.1:0  any free port; the address is printed

Without a PATH nothing is deployed: an application that was deployed once stays until `freehold rm`.
Ctrl-C (or SIGTERM) lets running calls end, then stops; a second Ctrl-C stops at once.

Exit codes: 0 stopped when it was asked to, 1 it could not start (or was asked twice), 2 the command line is wrong.";

/// A second request to stop within this time is the echo of the first.
const SAME_REQUEST: Duration = Duration::from_millis(300);

/// Start a node here, and deploy applications to it
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Folders to deploy and to watch; see `freehold deploy --help` for what may be in them
    #[arg(value_name = "PATH", value_hint = ValueHint::DirPath)]
    paths: Vec<PathBuf>,

    /// Where to listen for AWS's tools, function URLs and the other commands
    #[arg(long, value_name = "ADDR", default_value_t = crate::endpoint::LISTEN_DEFAULT, value_parser = address)]
    listen: SocketAddr,

    /// What others call it: who types it is told what to type
    #[arg(long, short, hide = true, value_name = "PORT", value_parser = port)]
    port: Option<Infallible>,

    /// A second address that serves nothing but functions
    #[arg(long, value_name = "ADDR", value_parser = address)]
    public: Option<SocketAddr>,

    /// Keep everything in memory, and nothing when it stops
    #[arg(long)]
    memory: bool,

    /// Who may call: anybody (open), or only who signs with a known key (iam) [default: open on a loopback address, iam on
    /// any other]
    #[arg(long, value_name = "MODE")]
    auth: Option<Auth>,

    /// How much isolation functions get: all that this machine gives, all or no start, or none
    #[arg(long, value_name = "MODE", default_value = "auto")]
    sandbox: Sandbox,

    /// What functions reach that do not say it themselves (FREEHOLD_NETWORK among their variables): the world, only the platform, or
    /// nobody
    #[arg(long, value_name = "REACH", default_value = "full")]
    network: Network,

    /// What keeps the data in its folder: the node's own store, or an SQLite database
    #[arg(long, value_name = "ENGINE", default_value = "embedded", conflicts_with = "memory")]
    store: Store,

    /// The bucket that large bytes lie in: s3://BUCKET/PREFIX (?endpoint=https://HOST&region=NAME where it is not AWS's),
    /// gs://BUCKET/PREFIX or az://CONTAINER/PREFIX; keys come from the environment, as that cloud's own tools read them
    #[arg(long, value_name = "URL", env = "FREEHOLD_BLOBS", conflicts_with = "memory")]
    blobs: Option<String>,

    /// Folders that a function's code may be (S3Bucket=hot-reload, S3Key=/PATH/IN/DIR): each call runs what is in it then. Whoever may
    /// make functions can read what is in DIR; may be given several times
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    hot_reload: Vec<PathBuf>,

    /// Deploy once, at the start: neither what is saved nor, with --memory, after a reset (POST /_reset)
    #[arg(long)]
    no_watch: bool,

    /// A further name under which the node may be reached; may be given several times
    #[arg(long = "host", value_name = "NAME")]
    hosts: Vec<String>,

    /// A web origin whose pages may call the node, such as http://localhost:3000; may be given several times
    #[arg(long = "origin", value_name = "URL", value_parser = origin)]
    origins: Vec<String>,

    /// The server that sends topics' mail, such as smtp://USER:PASSWORD@HOST:587?tls=required&from=news@example.com; without
    /// it mail stays in the outbox (GET /_outbox)
    #[arg(long, value_name = "URL", env = "FREEHOLD_SMTP", hide_env_values = true)]
    smtp: Option<String>,
}

/// `--auth`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Auth {
    /// Any credentials are accepted
    Open,
    /// Every call is signed and authorised
    Iam,
}

/// `--store`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Store {
    /// The usual one: fast, durable
    Embedded,
    /// Slower, and readable with SQLite's own tools
    Sqlite,
}

/// `--sandbox`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Sandbox {
    /// What the machine gives; what is missing is named
    Auto,
    /// All of it, or the node does not start
    Required,
    /// None: for trusted code only
    Off,
}

/// `--network`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Network {
    /// The world and the platform, as on Lambda
    Full,
    /// The platform's own services
    Platform,
    /// Nobody
    None,
}

/// Starts, deploys, tells, and runs until it is stopped.
pub(crate) async fn run(args: &Args, session: &Session) -> Result<Exit, Problem> {
    let start = session.clock.elapsed();
    check(args)?;
    let config = config(args, session.data())?;
    let mut signals = Signals::listen()?;
    let node = Running::start(config, session).await?;
    let lived = tokio::select! {
        lived = live(args, session, &node, start) => lived,
        () = signals.next() => Ok(()),
    };
    let stopped = stop(node, &mut signals, session).await;
    lived.and(stopped)
}

/// An IP address with a port. A name could mean several addresses, or another one tomorrow.
fn address(text: &str) -> Result<SocketAddr, &'static str> {
    text.parse()
        .map_err(|_| "write it as IP:PORT, such as 127.0.0.1:4567, or 0.0.0.0:4567 for all of the machine's addresses")
}

/// The option that is meant.
fn port(text: &str) -> Result<Infallible, String> {
    let port = text.parse::<u16>().map_or_else(|_| "PORT".to_owned(), |port| port.to_string());
    Err(format!("say the whole address: --listen 127.0.0.1:{port}"))
}

/// What browsers say of a page: a scheme, a host and perhaps a port. A path would fit no page.
fn origin(text: &str) -> Result<String, &'static str> {
    let wrong = "write it as browsers do, SCHEME://HOST or SCHEME://HOST:PORT, such as http://localhost:3000";
    let (scheme, host) = text.split_once("://").ok_or(wrong)?;
    let host = host.strip_suffix('/').unwrap_or(host);
    let is_scheme = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    let is_host = !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c));
    if is_scheme && is_host { Ok(format!("{scheme}://{host}").to_ascii_lowercase()) } else { Err(wrong) }
}

/// What makes no sense is refused before anything is made.
fn check(args: &Args) -> Result<(), Problem> {
    if let Some(path) = args.paths.iter().chain(&args.hot_reload).find(|path| !path.exists()) {
        return Err(Problem::usage(format!("There is no folder {}; nothing was started.", path.display())));
    }
    Ok(())
}

/// The node's settings.
fn config(args: &Args, data: &Path) -> Result<Config, Problem> {
    let data = match (args.memory, args.store) {
        (true, _) => node::Data::Memory,
        (false, Store::Embedded) => node::Data::Folder { path: data.to_owned(), engine: node::Engine::Embedded },
        (false, Store::Sqlite) => node::Data::Folder { path: data.to_owned(), engine: node::Engine::Sqlite },
    };
    let config = Config {
        listen: args.listen,
        public: args.public,
        auth: args.auth.map(|auth| match auth {
            Auth::Open => node::Auth::Open,
            Auth::Iam => node::Auth::Iam,
        }),
        sandbox: match args.sandbox {
            Sandbox::Auto => sandbox::Mode::Auto,
            Sandbox::Required => sandbox::Mode::Required,
            Sandbox::Off => sandbox::Mode::Off,
        },
        network: match args.network {
            Network::Full => sandbox::Network::Full,
            Network::Platform => sandbox::Network::Platform,
            Network::None => sandbox::Network::None,
        },
        blobs: args.blobs.clone(),
        hosts: args.hosts.clone(),
        origins: args.origins.clone(),
        smtp: args.smtp.clone(),
        hot_reload: args.hot_reload.clone(),
        ..Config::new(data)
    };
    match config.auth() {
        Ok(_) => Ok(config),
        Err(open) => Err(Problem::usage(format!("{open}."))),
    }
}

/// Ends only with an error: a node is stopped from outside.
async fn live(args: &Args, session: &Session, node: &Running, start: Duration) -> Result<(), Problem> {
    let screen = &session.screen;
    let client = session.client_of(node.endpoint.clone(), node.credentials.clone());
    let options = Options { unusable: node.unusable_languages(), ..Options::default() };
    let mut live = Live::new(session, &client, options, &args.paths);
    // From before the first deployment, so that none is missed.
    let mut resets = node.resets().await?;
    // Watched from before it is read, so that nothing that is saved meanwhile is missed.
    let mut watch = None;
    let mut unwatched = None;
    if !args.no_watch && !args.paths.is_empty() {
        match Watch::start(session.data()).and_then(|mut watch| live.cover(&mut watch).map(|()| watch)) {
            Ok(started) => watch = Some(started),
            // The node is as good; only saving does nothing.
            Err(error) => unwatched = Some(error),
        }
    }
    let (mut warnings, problems) = live.deploy_all().await;
    if let Some(Err(error)) = watch.as_mut().map(|watch| live.cover(watch)) {
        unwatched = Some(error);
    }
    warnings.extend(unwatched.map(|error| format!("Not everything that is saved will be redeployed: {error}")));
    let functions = function::list(&client).await?;
    let banner = Banner {
        took: session.clock.elapsed() - start,
        endpoint: &node.endpoint,
        public: node.public.as_ref(),
        region: session.region(),
        functions: &functions,
        credentials: &node.credentials,
        data: (!args.memory).then(|| session.data().display().to_string()),
        isolation: node.isolation(),
        missing: node.missing(),
        warnings: &warnings,
        watching: &if watch.is_some() { live.shown() } else { Vec::new() },
        hint: hint(args, functions.is_empty()),
    };
    // A node whose banner nobody reads is a node all the same.
    drop(screen.print(&banner.render(&screen.out)));
    problems.iter().for_each(|problem| screen.say(problem.render(&screen.err).trim_end()));
    if !problems.is_empty() {
        let next = match watch {
            Some(_) => "The node runs on, and watches: save the mended file, and it is deployed.",
            None => "The node runs on. When it is mended, deploy it with: freehold deploy DIR",
        };
        screen.say(&screen.err.faint(&format!("  {next}")));
    }
    match watch {
        Some(mut watch) => live.follow(&mut watch, &mut resets).await,
        None => std::future::pending().await,
    }
    Ok(())
}

fn hint(args: &Args, nothing_deployed: bool) -> Option<String> {
    if !args.paths.is_empty() {
        return None;
    }
    if Package::is_application(Path::new(".")) {
        return Some(
            "This folder looks like an application. To deploy it and redeploy what you save: freehold up .".to_owned(),
        );
    }
    nothing_deployed.then(|| "Nothing is deployed yet: freehold deploy DIR, in another terminal.".to_owned())
}

/// Lets running calls end; a second request stops at once.
async fn stop(node: Running, signals: &mut Signals, session: &Session) -> Result<Exit, Problem> {
    let screen = &session.screen;
    screen.say(&screen.err.faint("Stopping: running calls may end. Ctrl-C again stops at once."));
    let asked = session.clock.elapsed();
    let again = async {
        signals.next().await;
        // Whoever supervises us may signal us and our process group: that is one request, not two.
        while session.clock.elapsed() - asked < SAME_REQUEST {
            signals.next().await;
        }
    };
    tokio::select! {
        drained = node.stop() => {
            let word = if drained { "Stopped." } else { "Stopped; some calls had not ended." };
            screen.say(&screen.err.faint(word));
            Ok(Exit::Done)
        }
        () = again => {
            screen.say("Stopped at once. What was acknowledged is on disk.");
            Ok(Exit::Failed)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::cli::{Cli, Command};

    fn args(line: &str) -> Args {
        match Cli::try_parse_from(line.split(' ')).expect("the line is good").command {
            Command::Up(args) => args,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_become_the_nodes_settings() {
        let data = Path::new("data");
        let of = |line: &str| config(&args(line), data).expect("the options fit together");
        let usual = of("freehold up");
        assert_eq!(
            (usual.listen, usual.auth(), usual.sandbox),
            (crate::endpoint::LISTEN_DEFAULT, Ok(node::Auth::Open), sandbox::Mode::Auto)
        );
        assert_eq!(usual.data, node::Data::Folder { path: data.to_owned(), engine: node::Engine::Embedded });
        let wide = of("freehold up --listen 0.0.0.0:80 --sandbox required --host a.example --host b.example");
        assert_eq!((wide.auth(), wide.sandbox), (Ok(node::Auth::Iam), sandbox::Mode::Required));
        let near = of("freehold up --network platform");
        assert_eq!((usual.network, near.network), (sandbox::Network::Full, sandbox::Network::Platform));
        assert_eq!(wide.hosts, ["a.example", "b.example"]);
        assert_eq!(of("freehold up --memory").data, node::Data::Memory);
        assert_eq!(
            of("freehold up --store sqlite").data,
            node::Data::Folder { path: data.to_owned(), engine: node::Engine::Sqlite }
        );
        let away = of("freehold up --blobs s3://bucket/prefix");
        assert_eq!(away.blobs.as_deref(), Some("s3://bucket/prefix"));
        let open = config(&args("freehold up --listen 0.0.0.0:80 --auth open"), data).unwrap_err();
        assert_eq!(open.exit(), Exit::Usage);
    }

    #[test]
    fn origins_are_read_as_browsers_write_them() {
        for (text, expected) in [
            ("http://localhost:3000", Some("http://localhost:3000")),
            ("HTTPS://App.Example/", Some("https://app.example")),
            ("http://[::1]:80", Some("http://[::1]:80")),
            ("chrome-extension://abc", Some("chrome-extension://abc")),
            ("localhost:3000", None),
            ("http://", None),
            ("://a", None),
            ("http://a/path", None),
            ("http://a b", None),
            ("*", None),
            ("null", None),
        ] {
            assert_eq!(origin(text).ok().as_deref(), expected, "{text}");
        }
        let config = config(&args("freehold up --origin http://a --origin https://b/"), Path::new("data"));
        assert_eq!(config.expect("the options fit together").origins, ["http://a", "https://b"]);
    }

    #[test]
    fn addresses_that_are_none_are_told_how_to_be_written() {
        assert_eq!(address("[::1]:80").map(|good| good.port()), Ok(80));
        for wrong in ["4567", "localhost:4567", ":4567", ""] {
            assert!(address(wrong).unwrap_err().contains("127.0.0.1:4567"), "{wrong}");
        }
    }

    #[test]
    fn a_path_that_is_not_there_starts_nothing() {
        let problem = check(&args("freehold up /no/such/folder")).unwrap_err();
        assert!(problem.to_string().contains("/no/such/folder"), "{problem}");
    }
}
