//! `dset run` behind a proxy that the environment names.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread::JoinHandle;

use crate::common::{Folder, Going, Service, questions};

/// A proxy that hears one request, refuses it with this status, and tells its head.
fn refusing(status: &'static str) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let heard = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut head = String::new();
        let mut lines = BufReader::new(&stream);
        while lines.read_line(&mut head).unwrap() > 2 {}
        let _ = write!(&stream, "HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n");
        head
    });
    (address, heard)
}

fn run(folder: &Folder, variables: &[(&str, &str)], arguments: &[&str]) -> crate::common::Ran {
    let mut command = folder.command(arguments);
    command.envs(variables.iter().copied());
    Going { child: command.spawn().unwrap() }.end()
}

#[test]
fn a_plain_service_elsewhere_is_asked_through_the_proxy() {
    let folder = Folder::with(&questions(3));
    // The pretend service stands in for a proxy: it is told the whole URL and answers.
    let service = Service::friendly();
    let url = service.url();
    let arguments = ["run", "--base-url", "http://service.invalid/v1", "--key", "none"];
    run(&folder, &[("http_proxy", url.as_str())], &arguments).exits(0);
    assert_eq!((folder.agreed().len(), service.stats().asked), (3, 3));
}

#[test]
fn a_service_over_tls_is_asked_through_a_tunnel_and_the_key_is_not_told_to_the_proxy() {
    let folder = Folder::with(&questions(1));
    let (address, heard) = refusing("502 Bad Gateway");
    let proxy = format!("http://me:secret@{address}");
    let variables = [("https_proxy", proxy.as_str()), ("A_KEY", "sk-canary-0123456789")];
    let url = "https://service.invalid/v1";
    let arguments = ["run", "--base-url", url, "--key", "A_KEY", "-c", "1", "--retries", "0"];
    run(&folder, &variables, &arguments).exits(6).says("connection failed");
    let head = heard.join().unwrap().to_lowercase();
    assert!(head.starts_with("connect service.invalid:443 http/1.1"), "{head}");
    assert!(head.contains("proxy-authorization: basic bwu6c2vjcmv0"), "{head}");
    assert!(!head.contains("canary"), "{head}");
}

#[test]
fn a_proxy_that_makes_no_tunnel_is_named_with_its_status_and_what_helps() {
    for (status, code, hint) in [
        ("407 Proxy Authentication Required", 2, "USER:PASSWORD@HOST:PORT"),
        ("403 Forbidden", 2, "NO_PROXY=service.invalid"),
        ("503 Service Unavailable", 6, "NO_PROXY=service.invalid"),
    ] {
        let folder = Folder::with(&questions(3));
        let (address, heard) = refusing(status);
        let proxy = format!("http://me:secret@{address}");
        let arguments =
            ["run", "--base-url", "https://service.invalid/v1", "--key", "none", "-c", "1"];
        let arguments = [&arguments[..], &["--retries", "0"]].concat();
        let ran = run(&folder, &[("https_proxy", proxy.as_str())], &arguments).exits(code);
        let ran = ran.says(&format!("the proxy {address} answers {status}"));
        let ran = ran.says("HTTPS_PROXY").says(hint);
        assert!(!ran.err.contains("secret"), "{}", ran.err);
        assert!(!folder.read("q.csv").contains("ERROR") || code == 6);
        heard.join().unwrap();
    }
}

#[test]
fn this_machine_and_what_no_proxy_names_are_asked_without_the_proxy() {
    let folder = Folder::with(&questions(2));
    let service = Service::friendly();
    let nowhere = [("http_proxy", "http://127.0.0.1:9"), ("all_proxy", "http://127.0.0.1:9")];
    let arguments = ["run", "--base-url", &service.url(), "--key", "none"];
    run(&folder, &nowhere, &arguments).exits(0);
    assert_eq!(folder.agreed().len(), 2);
    let (address, _heard) = refusing("502 Bad Gateway");
    let proxy = format!("http://{address}");
    let variables = [("http_proxy", proxy.as_str()), ("no_proxy", "service.invalid")];
    let folder = Folder::with(&questions(1));
    let url = "http://service.invalid/v1";
    let arguments = ["run", "--base-url", url, "--key", "none", "-c", "1", "--retries", "0"];
    run(&folder, &variables, &arguments).exits(6).says("connection failed");
}
