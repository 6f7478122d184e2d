//! # What it does
//! Reports a value of the workspace's own types that holds something which must be released, and that is dropped on some path.
//!
//! Nothing has to be declared for it: if a function opens a file (or anything else that other rules know), puts it into a field of a
//! struct and returns the struct, and if a method of the struct's type releases that field, then the struct owns the file, and whoever
//! calls the function has to call that method. A struct that holds an owner, and whose method releases it, is an owner too.
//!
//! A function that returns the file itself acquires a file for its caller; that is reported by the rule for files.
//!
//! If no method can release the field, whoever drops the struct loses what it holds. This is reported too, where the value is dropped.
//!
//! # Why it leaks
//! The thing below (a descriptor, a connection, a transaction) stays open until the process ends, and the code that drops the value does
//! not even mention it.
//!
//! # Example
//! ```go
//! func NewStore(name string) (*Store, error) {
//! 	f, err := os.Open(name)
//! 	if err != nil {
//! 		return nil, err
//! 	}
//! 	return &Store{file: f}, nil
//! }
//!
//! func (s *Store) Close() error { return s.file.Close() }
//!
//! func count(name string) (int, error) {
//! 	store, err := NewStore(name)
//! 	if err != nil {
//! 		return 0, err
//! 	}
//! 	return store.Count() // the file of store stays open
//! }
//! ```
//!
//! # Use instead
//! ```go
//! func count(name string) (int, error) {
//! 	store, err := NewStore(name)
//! 	if err != nil {
//! 		return 0, err
//! 	}
//! 	defer store.Close()
//! 	return store.Count()
//! }
//! ```
//!
//! # When it stays silent
//! - The value is returned, stored, sent, or given to a function that keeps or releases it, or that is not known.
//! - The constructor keeps what it opened elsewhere too, or a goroutine that it starts may release it.
//! - The method of the type releases memory only, or something of which nothing is known.
//! - What is held is a cancel function, a ticker or a timer: its other end may end it.
//! - The value is only reached through an interface that the constructor returns.
//! - Constructors of dependencies, but for those with a name that many functions have which acquire something: `Open`, `Dial`, `New`,
//!   `NewClient`, `Connect`, …
//!
//! Owners are reported in `main.main` too: what they do at their end (flush, commit, remove) is not done by the end of the process.
//!
//! # Fix safety
//! Inserting a deferred call of the releasing method behind the error check is safe: the method was read, and nothing called it on
//! these paths before. It is not offered where the method needs arguments.
//!
//! # References
//! - [Effective Go: constructors and composite literals](https://go.dev/doc/effective_go#composite_literals)
//! - [`io.Closer`](https://pkg.go.dev/io#Closer)

use crate::Severity;
use crate::check::{CheckContext, RawFinding};
use crate::engine::find::{self, Verdict};
use crate::rules::{Declared, Family};

pub(crate) static RULE: Declared = Declared {
    name: "unclosed-resource",
    family: Family::Resources,
    severity: Severity::Warning,
    summary: "a value that owns something is dropped without calling the method that releases it",
    fixes: "defer the releasing method",
    overlaps: &[],
    tests: true,
    needs: &[],
    since: "0.1.0",
    source: "crates/leak-rules/src/rules/unclosed_resource.rs",
    text: include_str!("unclosed_resource.rs"),
    check,
};

fn check(cx: &CheckContext<'_>) -> Vec<RawFinding> {
    find::check(cx, RULE.name, &|_| Some(Verdict::plain(RULE.severity)))
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn must_flag() {
        check(
            r#"
package a

import "os"

type Store struct{ file *os.File }

func NewStore(name string) (*Store, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &Store{file: f}, nil
}

func (s *Store) Close() error { return s.file.Close() }

func (s *Store) Count() (int, error) {
	info, err := s.file.Stat()
	if err != nil {
		return 0, err
	}
	return int(info.Size()), nil
}

func count(name string) (int, error) {
	store, err := NewStore(name) // want unclosed-resource/warning "`store` holds the file opened in `NewStore`; `Close` is never called" want-fix "defer `store.Close()`" safe
	if err != nil {
		return 0, err
	}
	return store.Count() // want-related "returns without calling `Close` of `store`"
}
"#,
        );
    }

    #[test]
    fn constructors_of_dependencies() {
        check(
            r#"
-- go.mod --
module example.com/m

go 1.26

require example.com/dep v1.0.0
-- vendor/modules.txt --
# example.com/dep v1.0.0
## explicit; go 1.26
example.com/dep
-- vendor/example.com/dep/dep.go --
package dep

import "net"

type Client struct{ conn net.Conn }

func Dial(addr string) (*Client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn}, nil
}

func (c *Client) Close() error { return c.conn.Close() }

func (c *Client) Ping() error {
	_, err := c.conn.Write([]byte("ping"))
	return err
}
-- a.go --
package a

import "example.com/dep"

func ping(addr string) error {
	client, err := dep.Dial(addr) // want unclosed-resource "`client` holds the connection opened in `Dial`; `Close` is never called"
	if err != nil {
		return err
	}
	return client.Ping()
}

func closed(addr string) error {
	client, err := dep.Dial(addr)
	if err != nil {
		return err
	}
	defer client.Close()
	return client.Ping()
}
"#,
        );
    }

    #[test]
    fn must_not_flag() {
        check(
            r#"
package a

import "os"

type Store struct{ file *os.File }

func NewStore(name string) (*Store, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &Store{file: f}, nil
}

func (s *Store) Close() error { return s.file.Close() }

func (s *Store) Name() string { return s.file.Name() }

func name(name string) (string, error) {
	store, err := NewStore(name)
	if err != nil {
		return "", err
	}
	defer store.Close()
	return store.Name(), nil
}

// A type whose method releases memory only is no owner.
type Buffer struct{ data []byte }

func NewBuffer() *Buffer { return &Buffer{data: make([]byte, 10)} }

func (b *Buffer) Close() error { b.data = nil; return nil }

func use() int {
	b := NewBuffer()
	return len(b.data)
}
"#,
        );
    }
}
