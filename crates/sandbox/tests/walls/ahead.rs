//! Guests that are started before it is known whose they will be.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use sandbox::{Child, Exit, Host, Mode, Mount, Network, Part, PlaceError, Placement, Plan, Program, Streams};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::harness::{block_on, boot, empty, end, host, lacks, line, output, plan, python, rest, shell};

fn able() -> Option<Host> {
    let host = host(Mode::Auto);
    (!lacks(&host, Part::Namespaces) && host.can_place()).then_some(host)
}

fn code(text: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), text).unwrap();
    let path = folder.path().to_owned();
    (folder, path)
}

fn mounts(source: &Path, target: &str) -> Vec<Mount> {
    vec![Mount { source: source.to_owned(), target: PathBuf::from(target) }]
}

/// Boots without a program, places, and says what came of it.
fn placed(host: &Host, placement: Placement) -> (Exit, String) {
    let (booted, read) = boot(host, empty(), &[]);
    booted.child.place(&placement).unwrap();
    let ended = end(booted.child, read);
    (ended.exit, ended.output)
}

#[test]
fn code_and_program_come_later() {
    let Some(host) = able() else { return };
    let (_folder, path) = code("code\n");
    for (target, script, expected) in [
        ("/var/task", "pwd; cat file; echo x > file || echo refused", "/var/task\ncode\nrefused\n"),
        ("/opt", "cat /opt/file; ls -A /var/task", "code\n"),
        ("/nowhere/yet/deep", "cat /nowhere/yet/deep/file; ls /nowhere", "code\nyet\n"),
        ("/var/task", "chmod 777 / || mkdir /new || echo refused", "refused\n"),
    ] {
        let mut program = shell(&format!("{{ {script}; }} 2>/dev/null"));
        program.directory = PathBuf::from(target);
        let placement = Placement { mounts: mounts(&path, target), program: Some(program), ..Placement::default() };
        assert_eq!(placed(&host, placement), (Exit::Code(0), expected.to_owned()), "{target} {script}");
    }
}

#[test]
fn a_file_can_be_placed_too() {
    let Some(host) = able() else { return };
    let (_folder, path) = code("code\n");
    let placement = Placement {
        mounts: mounts(&path.join("file"), "/var/lang/one/file"),
        program: Some(shell("cat /var/lang/one/file")),
        ..Placement::default()
    };
    assert_eq!(placed(&host, placement), (Exit::Code(0), "code\n".to_owned()));
}

#[test]
fn the_environment_is_the_programs_own() {
    let Some(host) = able() else { return };
    let mut program =
        shell("echo $ONLY $KEY; ls /proc/self/fd | tr '\\n' ' '; grep -c . /proc/self/status >/dev/null; id -u");
    program.environment = vec![("KEY".to_owned(), "value".to_owned()), ("PATH".to_owned(), "/usr/bin".to_owned())];
    let (exit, output) = placed(&host, Placement { program: Some(program), ..Placement::default() });
    assert_eq!((exit, output.as_str()), (Exit::Code(0), "value\n0 1 2 3 993\n"));
}

#[test]
fn every_channel_is_where_it_belongs() {
    let (Some(host), Some(_)) = (able(), python("")) else { return };
    let (ours, theirs): (Vec<_>, Vec<_>) =
        (0..Streams::CHANNELS_MAX).map(|_| std::os::unix::net::UnixStream::pair().unwrap()).unzip();
    let (read, mut streams) = output();
    streams.channels = theirs.into_iter().map(Into::into).collect();
    let booted = host.boot(&sandbox::Boot { plan: empty(), ports: Vec::new() }, streams).unwrap();
    let script =
        "import os\nn = 3\nwhile os.path.exists(f'/proc/self/fd/{n}'):\n os.write(n, b'%d' % n)\n n += 1\nprint(n)";
    let program = Program {
        program: PathBuf::from("/usr/bin/python3"),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        ..shell("")
    };
    booted.child.place(&Placement { program: Some(program), ..Placement::default() }).unwrap();
    assert_eq!(end(booted.child, read).output, format!("{}\n", 3 + Streams::CHANNELS_MAX));
    for (number, mut stream) in (3..).zip(ours) {
        let mut word = String::new();
        stream.read_to_string(&mut word).unwrap();
        assert_eq!(word, number.to_string());
    }
}

#[test]
fn a_program_that_is_not_there_is_named_past_all_channels() {
    let Some(host) = able() else { return };
    let (_ours, theirs): (Vec<_>, Vec<_>) =
        (0..Streams::CHANNELS_MAX).map(|_| std::os::unix::net::UnixStream::pair().unwrap()).unzip();
    let (read, mut streams) = output();
    streams.channels = theirs.into_iter().map(Into::into).collect();
    let booted = host.boot(&sandbox::Boot { plan: empty(), ports: Vec::new() }, streams).unwrap();
    let program = Program { program: PathBuf::from("/nowhere"), ..shell("") };
    booted.child.place(&Placement { program: Some(program), ..Placement::default() }).unwrap();
    match end(booted.child, read).exit {
        Exit::Failed { reason } => assert!(reason.contains("/nowhere"), "{reason}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_running_program_sees_what_is_placed() {
    let Some(host) = able() else { return };
    let (_folder, path) = code("late\n");
    let (read, mut streams) = output();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    streams.channels.push(theirs.into());
    let script = "ls /var/task; echo waiting; read word <&3; echo $word; cat /var/task/file; df -k /tmp | tail -1 | tr -s ' ' | cut -d' ' -f2";
    let plan = plan(script);
    let booted = host.boot(&sandbox::Boot { plan, ports: Vec::new() }, streams).unwrap();
    while line(&read) != "waiting\n" {}
    let placement = Placement { mounts: mounts(&path, "/var/task"), tmp_bytes: Some(9 << 20), ..Placement::default() };
    booted.child.place(&placement).unwrap();
    (&ours).write_all(b"go\n").unwrap();
    assert_eq!(end(booted.child, read).output, "go\nlate\n9216\n");
}

#[test]
fn what_cannot_be_placed_is_named() {
    let Some(host) = able() else { return };
    let (_folder, path) = code("x");
    for (mounts, step, reason) in [
        (mounts(Path::new("/not/there"), "/var/task"), "opening /not/there", "No such file"),
        (mounts(&path, "/dev/stdin/x"), "mounting /dev/stdin/x", ""),
        (mounts(&path, "/tmp/link/x"), "mounting /tmp/link/x", ""),
        (mounts(&path, "/tmp/none/x"), "mounting /tmp/none/x", ""),
        (mounts(&path, "relative"), "mounting relative", ""),
    ] {
        let (booted, read) = boot(&host, plan("ln -s /usr /tmp/link; echo; sleep 1000"), &[]);
        assert_eq!(line(&read), "\n");
        let error = booted.child.place(&Placement { mounts, ..Placement::default() }).unwrap_err();
        let PlaceError::Step { step: at, reason: why } = &error else { panic!("{error:?}") };
        assert!(at == step && why.contains(reason), "{error}");
        // The steward is where it was: the next one works.
        assert_eq!(placed(&host, Placement { program: Some(shell("echo well")), ..Placement::default() }).1, "well\n");
    }
}

#[test]
fn one_that_was_not_started_ahead_is_not_placed() {
    let Some(host) = able() else { return };
    let (_read, streams) = output();
    let child = host.spawn(&plan("sleep 1000"), streams).unwrap();
    assert!(matches!(child.place(&Placement::default()), Err(PlaceError::NotAhead)));
    let plain = Host::new(Mode::Off, None).unwrap();
    assert!(!plain.can_place());
    let (_read, streams) = output();
    let error = plain.boot(&sandbox::Boot { plan: plan("true"), ports: Vec::new() }, streams).unwrap_err();
    assert!(error.to_string().contains("isolation is off"), "{error}");
}

#[test]
fn limits_are_raised_and_lowered() {
    let Some(host) = able() else { return };
    if lacks(&host, Part::MemoryLimit) || lacks(&host, Part::ProcessLimit) {
        return;
    }
    let bomb = "x=$(head -c 60000000 /dev/zero | tr '\\0' x); echo ${#x}";
    for (megabytes, expected) in [(16, ""), (512, "60000000\n")] {
        let placement =
            Placement { memory_bytes: Some(megabytes << 20), program: Some(shell(bomb)), ..Placement::default() };
        assert_eq!(placed(&host, placement).1, expected, "{megabytes} MB");
    }
    let forks = "i=0; while [ $i -lt 30 ]; do sleep 1000 & i=$((i+1)); done; echo all";
    for (processes, expected) in [(10, ""), (60, "all\n")] {
        let placement = Placement {
            processes_max: Some(processes),
            program: Some(shell(&format!("{{ {forks}; }} 2>/dev/null; kill -9 -1"))),
            ..Placement::default()
        };
        assert_eq!(placed(&host, placement).1, expected, "{processes} processes");
    }
}

#[test]
fn a_guest_that_waits_ends_with_its_child() {
    let Some(host) = able() else { return };
    let (booted, read) = boot(&host, empty(), &[]);
    drop(booted);
    assert_eq!(rest(read), "");
}

#[test]
fn the_platform_listens_inside() {
    let Some(host) = able() else { return };
    if !Path::new("/bin/bash").exists() {
        base::trial::skip("no bash here, which could open a connection");
        return;
    }
    let script = "exec 5<>/dev/tcp/127.0.0.1/9001; echo hello >&5; cat <&5; (exec 5<>/dev/tcp/127.0.0.1/9002) 2>/dev/null || echo nobody";
    let plan = Plan {
        program: PathBuf::from("/bin/bash"),
        arguments: vec!["-c".to_owned(), script.to_owned()],
        network: Network::Platform,
        ..plan("")
    };
    let (booted, read) = boot(&host, plan, &["127.0.0.1:9001", "[::1]:4566"]);
    assert_eq!(booted.ports.len(), 2);
    assert_eq!(booted.ports[0].local_addr().unwrap(), "127.0.0.1:9001".parse().unwrap());
    let child: Child = booted.child;
    block_on(async {
        let listener = tokio::net::TcpListener::from_std(booted.ports.into_iter().next().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut said = [0; 6];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"hello\n");
        stream.write_all(b"welcome\n").await.unwrap();
    });
    assert_eq!(end(child, read).output, "welcome\nnobody\n");
}

#[test]
fn a_server_inside_is_dialled() {
    let Some(host) = able() else { return };
    let python = Path::new("/usr/bin/python3");
    if !python.exists() {
        base::trial::skip("no python3 here, which could be a server");
        return;
    }
    let server = "import socket\ns = socket.create_server(('127.0.0.1', 8080))\nprint('listening', flush=True)\nc, _ = s.accept()\nc.sendall(c.recv(100).upper())\n";
    let plan = Plan {
        program: python.to_owned(),
        arguments: vec!["-c".to_owned(), server.to_owned()],
        network: Network::Platform,
        ..plan("")
    };
    let (booted, read) = boot(&host, plan, &[]);
    assert_eq!(line(&read), "listening\n");
    block_on(async {
        let mut stream = booted.child.dial("127.0.0.1:8080".parse().unwrap()).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "HELLO");
        let refused = booted.child.dial("127.0.0.1:8081".parse().unwrap()).await.unwrap_err();
        assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    });
    assert_eq!(end(booted.child, read).exit, Exit::Code(0));
}

#[test]
fn the_frozen_stand_still_and_can_be_ended() {
    let Some(host) = able() else { return };
    let (read, mut streams) = output();
    let (ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    streams.channels.push(theirs.into());
    let plan = plan("echo ready; while read word; do echo $word; done <&3");
    let booted = host.boot(&sandbox::Boot { plan, ports: Vec::new() }, streams).unwrap();
    assert_eq!(line(&read), "ready\n");
    if let Err(error) = booted.child.freeze() {
        base::trial::skip(error);
        return;
    }
    rustix::fs::fcntl_setfl(&read, rustix::fs::OFlags::NONBLOCK).unwrap();
    // The kernel takes a moment to stop it. One whole life of another guest is longer than what an answer would take.
    for round in 0.. {
        (&ours).write_all(b"word\n").unwrap();
        let (_, other) = placed(&host, Placement { program: Some(shell("echo other")), ..Placement::default() });
        assert_eq!(other, "other\n");
        if (&read).read(&mut [0; 64]).is_err() {
            break;
        }
        assert!(round < 100, "it answers though it is frozen");
    }
    booted.child.thaw().unwrap();
    crate::harness::until("it goes on", || (&read).read(&mut [0; 64]).is_ok_and(|read| read > 0));
    booted.child.freeze().unwrap();
    booted.child.kill();
    assert_eq!(block_on(booted.child.wait()).unwrap(), Exit::Signal(9));
}
