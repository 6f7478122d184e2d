//! Serving the profiles of a program on this machine only.

use go_model::db::{Db, SourceFile, parsed};
use go_model::package::{package_files, package_of_file};
use go_model::workspace::parent_directory;

use super::{Change, Companion, Refusal, free_file, free_names, function};
use crate::edit::EditBuilder;

/// The path of the package that serves profiles on the default mux as soon as it is imported.
const NET_HTTP_PPROF: &str = "net/http/pprof";
/// What the new file declares and imports.
const NAMES: [&str; 9] = [
    "servePprof",
    "serveProfile",
    "http",
    "log",
    "pprof",
    "runtime",
    "strconv",
    "strings",
    "time",
];

/// Lets a program serve its profiles at `http://localhost:6060/debug/pprof/`: a new file, and a line at the beginning of `main`.
///
/// `net/http/pprof` is not imported, because it registers its handlers with the default mux of `net/http` in whatever program
/// imports it, and the program may serve that to everybody.
///
/// # Errors
/// The file has no `main`, the program serves profiles already, or a name that is needed is taken.
pub fn serve_pprof(db: &dyn Db, file: SourceFile) -> Result<Companion, Refusal> {
    let tree = parsed(db, file);
    let main = function(&tree, "main").filter(|_| {
        tree.package
            .is_some_and(|package| package.name == "main" && !file.is_test(db))
    });
    let Some((decl, main)) = main else {
        return Err("there is no function `main` of a program here".to_owned());
    };
    let (Some(body), Some(dir)) = (&main.body, parent_directory(db, file)) else {
        return Err("the function `main` has no body here".to_owned());
    };
    for other in package_files(db, package_of_file(db, file)).iter() {
        if parsed(db, *other)
            .imports
            .iter()
            .any(|import| import.path == NET_HTTP_PPROF)
        {
            return Err(format!(
                "{} imports {NET_HTTP_PPROF}, which serves the profiles already",
                other.file_name(db)
            ));
        }
    }
    free_names(db, file, &NAMES)?;

    let text = file.text(db);
    let mut builder = EditBuilder::new(&text, &tree);
    let brace = usize::from(decl.start + body.range.start());
    let edits = builder
        .insert_at_block_start(brace, usize::from(decl.start), "go servePprof()")
        .and_then(|()| builder.finish())
        .ok_or("the body of `main` begins on the line of its brace")?;
    Ok(Companion {
        title: "serve the profiles of this program on localhost:6060".to_owned(),
        changes: vec![
            Change::Create(free_file(db, dir, "pprof", ".go"), SOURCE.to_owned()),
            Change::Edit(file, edits),
        ],
        then: None,
    })
}

const SOURCE: &str = r#"package main

import (
	"log"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"time"
)

// servePprof serves the profiles of this program at http://localhost:6060/debug/pprof/, to this machine only. It does not import
// net/http/pprof, because that would serve them on the default mux as well.
func servePprof() {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", serveProfile)
	server := &http.Server{
		Addr:              "localhost:6060",
		Handler:           mux,
		ReadHeaderTimeout: 10 * time.Second,
	}
	log.Print("profiles: ", server.ListenAndServe())
}

// serveProfile writes one profile: heap, goroutine, goroutineleak (Go 1.27), profile (the processor, for seconds=N), and so on.
func serveProfile(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/debug/pprof/")
	if name == "profile" {
		seconds, err := strconv.Atoi(r.FormValue("seconds"))
		if err != nil || seconds <= 0 {
			seconds = 30
		}
		if err := pprof.StartCPUProfile(w); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		defer pprof.StopCPUProfile()
		timer := time.NewTimer(time.Duration(seconds) * time.Second)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
		}
		return
	}
	profile := pprof.Lookup(name)
	if profile == nil {
		for _, profile := range pprof.Profiles() {
			_, _ = w.Write([]byte(profile.Name() + "\n"))
		}
		return
	}
	if r.FormValue("gc") != "" && name == "heap" {
		runtime.GC()
	}
	debug, _ := strconv.Atoi(r.FormValue("debug"))
	if err := profile.WriteTo(w, debug); err != nil {
		log.Print("profile ", name, ": ", err)
	}
}
"#;
