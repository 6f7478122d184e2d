//! How the server begins and ends, and what does not end it.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::client::{Client, Setup};

#[test]
fn shutdown_and_exit_end_the_process_though_the_input_stays_open() {
    Setup::default().start().leave();
}

#[test]
fn exit_without_shutdown_is_a_failure() {
    let mut client = Setup::default().start();
    client.notify("exit", Value::Null);
    assert_eq!(client.wait_for_exit().code(), Some(1));
    let mut client = Client::spawn(&[]);
    client.write(&json!({ "method": "exit" }));
    assert_eq!(client.wait_for_exit().code(), Some(1));
}

#[test]
fn the_end_of_input_ends_the_process() {
    let mut client = Setup::default().start();
    client.input = None;
    assert_eq!(client.wait_for_exit().code(), Some(1));
    // As Neovim leaves: `shutdown`, then the end of input, without waiting for the answer.
    let mut client = Setup::default().start();
    client.send_request("shutdown", Value::Null);
    client.input = None;
    assert_eq!(client.wait_for_exit().code(), Some(0));
}

#[cfg(unix)]
#[test]
fn a_vanished_parent_ends_the_process() {
    let mut parent = Command::new("sleep")
        .arg("1000")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let mut client = Setup::default().parent(json!(parent.id())).start();
    client.settle();
    parent.kill().unwrap();
    parent.wait().unwrap();
    assert_eq!(client.wait_for_exit().code(), Some(1));
}

#[test]
fn a_parent_that_cannot_be_seen_is_not_watched() {
    for process_id in [json!(4_194_000), json!(-7), json!("x")] {
        let mut client = Setup::default().parent(process_id).start();
        client.settle();
        client.leave();
    }
}

#[test]
fn requests_after_shutdown_are_invalid() {
    let mut client = Setup::default().start();
    client.request("shutdown", Value::Null);
    let params = json!({ "textDocument": { "uri": "file:///a.go" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(client.request_error("textDocument/hover", params), -32600);
    client.notify("exit", Value::Null);
    assert_eq!(client.wait_for_exit().code(), Some(0));
}

#[test]
fn initialize_comes_once() {
    let mut client = Setup::default().start();
    assert_eq!(
        client.request_error("initialize", json!({ "capabilities": {} })),
        -32600
    );
    client.leave();
}

#[test]
fn requests_before_initialize_are_refused() {
    let mut client = Client::spawn(&[]);
    let params = json!({ "textDocument": { "uri": "file:///a.go" }, "position": { "line": 0, "character": 0 } });
    assert_eq!(client.request_error("textDocument/hover", params), -32002);
}

#[test]
fn malformed_messages_are_answered_and_survived() {
    let mut client = Setup::default().start();
    let mut deep = b"{\"method\":".to_vec();
    deep.extend(std::iter::repeat_n(b'[', 100_000));
    let bodies: [&[u8]; 8] = [
        b"{",
        b"",
        b"[]",
        b"{}",
        b"\xff\xfe\x00",
        b"{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":\"x\"}",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":[1]}",
        &deep,
    ];
    for body in bodies {
        client.write_raw(format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes());
        client.write_raw(body);
        let answer = client.wait_for(|message| message.get("error").is_some());
        assert!(
            [-32700, -32600].contains(&answer["error"]["code"].as_i64().unwrap()),
            "{answer}"
        );
    }
    client.write_raw(b"garbage\r\n\r\nmore garbage\r\nContent-Length: x\r\n\r\n");
    // Wrong parameters, unknown methods, answers that nobody waits for.
    assert_eq!(
        client.request_error("textDocument/hover", json!({ "position": 1 })),
        -32602
    );
    assert_eq!(
        client.request_error("textDocument/noSuchThing", json!({})),
        -32601
    );
    client.notify("textDocument/didOpen", json!({ "textDocument": 1 }));
    client.notify("textDocument/didChange", json!([1, 2]));
    client.notify("$/unknown", json!({}));
    client.write(&json!({ "id": 12345 }));
    client.write(&json!({ "id": "x", "error": { "code": "none" } }));
    client.settle();
    client.leave();
}

#[test]
fn headers_may_be_odd() {
    let mut client = Setup::default().start();
    let body = json!({ "id": 77, "method": "workspace/executeCommand", "params": { "command": "stopleak.debugInfo" } }).to_string();
    let header = format!(
        "content-type: application/vscode-jsonrpc; charset=utf8\r\nX-Other: 1\r\ncontent-length:{}\r\n\r\n",
        body.len()
    );
    // In pieces, as a pipe may deliver it.
    for piece in [header.as_bytes(), body.as_bytes()].concat().chunks(5) {
        client.write_raw(piece);
    }
    client.wait_for(|message| message["id"] == 77);
    client.leave();
}

#[test]
fn null_and_missing_parameters() {
    let mut client = Client::spawn(&[]);
    client.request("initialize", json!({ "processId": null, "rootUri": "", "rootPath": "", "capabilities": {}, "workspaceFolders": null }));
    client.write(&json!({ "method": "initialized" }));
    client.settle();
    let id = client.send_request("shutdown", Value::Null);
    client.answer(id);
    client.write(&json!({ "method": "exit", "params": null }));
    assert_eq!(client.wait_for_exit().code(), Some(0));
}
