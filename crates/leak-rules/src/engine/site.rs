//! What a fix needs to know about a finding, in terms of the syntax tree.
//!
//! A site is computed with the finding and is position independent like the tree it points into; the fixes are made from it
//! and from the text as it stands.

use go_model::facts::LocalId;
use go_model::told::FuncPath;
use go_syntax::Name;
use go_syntax::TextRange;
use go_syntax::ast::{ExprId, StmtId};

impl FixSite {
    /// The statements by which the thing is lost.
    pub(crate) fn exits(&self) -> Vec<StmtId> {
        self.leaks.iter().filter_map(|l| l.stmt).collect()
    }

    /// A site for a shape of code: `call` is what the shape is about.
    pub(crate) fn pattern(
        literal: Option<ExprId>,
        call: ExprId,
        stmt: Option<StmtId>,
        pattern: Pattern,
        in_test: bool,
    ) -> Self {
        Self {
            kind: FixKind::Defer,
            trigger: Trigger::Pattern(pattern),
            literal,
            acquire: Acquire {
                call,
                stmt,
                shape: AcquireShape::Nested,
                result: 0,
                error_result: None,
            },
            value: None,
            error: None,
            insert: None,
            late_defers: Vec::new(),
            releases: Vec::new(),
            leaks: Vec::new(),
            parts: Vec::new(),
            in_loop: None,
            reassigned: false,
            moved_elsewhere: false,
            second_release_harmful: false,
            written: None,
            outlives: false,
            reader_goroutine: None,
            loop_defer: None,
            in_test,
        }
    }
}

/// The place of a finding as a fix sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixSite {
    /// What the thing is, and how it is let go.
    pub kind: FixKind,
    /// What went wrong.
    pub trigger: Trigger,
    /// The function literal in whose body the acquisition stands; `None` for the declaration's own body.
    pub literal: Option<ExprId>,
    /// Where it was acquired.
    pub acquire: Acquire,
    /// The variable (or field path from one) that holds the thing. `None` where it was thrown away.
    pub value: Option<Value>,
    /// The error of the acquisition.
    pub error: Option<ErrorVar>,
    /// Where a deferred release can stand: behind the error check, before anything else, and only what was acquired gets there.
    /// `None` where there is no such place.
    pub insert: Option<InsertPoint>,
    /// Deferred releases that are registered too late (on some path not at all), in source order. Each is a `defer` of the plain
    /// release or of a literal that does nothing else.
    pub late_defers: Vec<StmtId>,
    /// Explicit (not deferred) releases as statements of their own.
    pub releases: Vec<StmtId>,
    /// The exits and jumps where the thing is lost, in source order. Empty for [`Trigger::Discarded`].
    pub leaks: Vec<LeakPoint>,
    /// Small parts of a large whole that are kept, or mentions of something that keep it, in source order.
    pub parts: Vec<ExprId>,
    /// The innermost loop of the same function around the acquisition.
    pub in_loop: Option<StmtId>,
    /// The variable is assigned again after the acquisition (a deferred literal would see the later value).
    pub reassigned: bool,
    /// On some other path the thing is handed on (returned, stored, sent …): an unconditional `defer` would be wrong.
    pub moved_elsewhere: bool,
    /// The thing is released elsewhere while it stays in the variable, by something for which a second release is not known to
    /// be harmless.
    pub second_release_harmful: bool,
    /// For files: opened for writing. `None` where it is not known.
    pub written: Option<bool>,
    /// For cancel functions: the context, or something made from it, outlives the function.
    pub outlives: bool,
    /// For tickers and timers: the one function literal, started with `go`, that alone reads the channel.
    pub reader_goroutine: Option<ExprId>,
    /// For [`Trigger::DeferInLoop`].
    pub loop_defer: Option<LoopDefer>,
    /// The file is a `_test.go` file.
    pub in_test: bool,
}

/// What the thing is, and how it is let go. `{}` in the comments is [`Value::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FixKind {
    /// `{}.Body.Close()`; the value is the response.
    HttpBody,
    /// `{}.Close()`; the value is the body itself (`body := resp.Body` and the like).
    Body,
    /// `{}.Close()`.
    File,
    /// `{}.Close()`, the reading end of a pipe.
    PipeRead,
    /// `{}.Close()`, the writing end of a pipe: its reader may wait for the close.
    PipeWrite,
    /// `{}.Close()`.
    SqlRows,
    /// A `QueryRow` that must be scanned.
    SqlRow,
    /// `{}()`.
    Cancel,
    /// `{}(nil)`.
    CancelCause,
    /// `{}()`, the stop function of `signal.NotifyContext` or `iter.Pull`.
    SignalStop,
    /// `{}.Stop()`.
    Ticker,
    /// `{}.Stop()`.
    Timer,
    /// `{}.Close()`, which writes what is left to what lies below: its error counts, and it has to come before the bytes are used.
    Writer,
    /// `{}.CloseWithError(err)` or `{}.Close()`, an end of an `io.Pipe` whose other end a goroutine has.
    IoPipe,
    /// `C.free(unsafe.Pointer({}))`.
    CMemory,
    /// A stream that ends with the context that the acquiring call is given first.
    Stream,
    /// A releasing method that is no special case.
    Method(Method),
    /// It is handed to a function of a package.
    Passed(&'static Passed),
    /// `{}.CloseIdleConnections()`; the value is the transport or the client that has it.
    Transport,
    /// `{}()`; the usual name of a variable for it.
    Call(&'static str),
    /// Given to a function or method that takes nothing else.
    PassedTo(PassedTo),
    /// The finding is about a `defer` statement, not about a kind of thing.
    Defer,
    /// Nothing lets it go, or nothing that a fix could write.
    Nothing,
}

/// A releasing method as it is written behind a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Method {
    /// Its name.
    pub name: &'static str,
    /// It takes a context: the one that the acquiring call was given first.
    pub context: bool,
    /// The usual name of a variable for the thing.
    pub variable: &'static str,
    /// What a deferred call of it changes besides, for titles; empty if nothing but that the leak is gone.
    pub note: &'static str,
    /// A second call of it may do harm, or that is not known.
    pub once: bool,
}

/// A function, or a method of what the thing was acquired from, that releases what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PassedTo {
    /// Which.
    pub to: FuncPath,
    /// The usual name of a variable for the thing.
    pub variable: &'static str,
}

/// A release by a call such as `os.RemoveAll({})` or `os.Remove({}.Name())`.
#[derive(Debug, PartialEq, Eq, Hash)]
pub struct Passed {
    /// Import path of the function's package.
    pub package: &'static str,
    /// The package's own name.
    pub name: &'static str,
    /// The function.
    pub function: &'static str,
    /// The method without arguments whose result is passed.
    pub method: Option<&'static str>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trigger {
    /// No path releases it.
    NeverReleased,
    /// Some path loses it.
    LostOnPath,
    /// The result is not kept at all: `_`, or a call as a statement.
    Discarded,
    /// The variable gets another value while the thing is still open.
    Overwritten,
    /// `QueryRow` without `Scan`.
    NeverScanned,
    /// A `defer` runs at the end of the function, not of the iteration.
    DeferInLoop,
    /// The code has a shape that leaks, whatever its values are.
    Pattern(Pattern),
}

/// The shapes of code that leak, with what their fixes need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pattern {
    /// `time.Tick(d)`: the acquisition's call.
    Tick {
        /// The delay is a constant above zero.
        constant: bool,
    },
    /// `<-time.After(d)` in an arm of a select in a loop: the acquisition's call.
    AfterInLoop {
        /// The select.
        select: StmtId,
        /// The innermost loop around it that goes on.
        looping: StmtId,
    },
    /// A cleanup is deferred before the error of what it cleans up is looked at.
    DeferBeforeCheck {
        /// The `defer`.
        defer: StmtId,
        /// The `if` that leaves on an error.
        check: StmtId,
        /// Nothing stands between the two.
        adjacent: bool,
    },
    /// A `defer` in a loop behind which nothing returns: [`FixSite::loop_defer`] holds the rest.
    DeferInEndlessLoop,
    /// `http.Get(url)`: the acquisition's call.
    ClientTimeout,
    /// `net.Dial(network, address)`: the acquisition's call.
    DialTimeout,
    /// An `http.Client` literal (the acquisition's "call") without a timeout.
    TimeoutField {
        /// The `http.NewRequest` of its request, and a context to make it with.
        context: Option<(ExprId, LocalId)>,
    },
    /// An `http.Server` literal (the acquisition's "call") without a timeout for headers.
    HeaderTimeoutField,
    /// A timer or a registration whose handle is dropped, as a statement.
    AfterFunc {
        /// It is `context.AfterFunc`, whose handle is a function.
        context: bool,
    },
    /// A return hands on only something that uses the thing.
    DropsClose {
        /// The return.
        exit: StmtId,
        /// What it returns.
        operand: ExprId,
    },
    /// A goroutine sends on a channel from which nobody receives any more.
    AbandonedSend {
        /// The call of `make`.
        make: ExprId,
        /// A buffer that takes all sends.
        size: Option<BufferSize>,
        /// The buffer changes nothing but that nobody waits.
        safe: bool,
        /// The send, if it is the goroutine's only one.
        send: Option<StmtId>,
        /// A context that can be named there.
        context: Option<LocalId>,
        /// Behind [`FixSite::releases`] (sends that another one follows) a `return` may be missing: whether it would skip nothing but
        /// that one.
        leave: Option<bool>,
    },
    /// A `return` is missing behind [`FixSite::releases`], sends that another one follows.
    LeaveAfter,
    /// A goroutine receives from a channel that nobody closes.
    UnclosedChannel {
        /// Where the channel is made.
        made: StmtId,
        /// The one goroutine that does every send, with a mention of the channel in it.
        sender: Option<(ExprId, ExprId)>,
        /// The statement behind which the function that made the channel, and does every send, sends no more.
        last_send: Option<StmtId>,
        /// The goroutine ranges over it.
        ranges: bool,
        /// The receive, if it is a statement of its own whose value is dropped.
        receive: Option<StmtId>,
        /// The goroutine does nothing more once it is woken.
        last: bool,
        /// A context that can be named in the goroutine.
        context: Option<LocalId>,
        /// The function that made the channel does every send, waits for nobody, and may close it whenever it returns.
        owner_sends: bool,
    },
    /// A channel is closed on some paths only: not at [`FixSite::leaks`].
    CloseBefore {
        /// Where the channel is made.
        made: StmtId,
        /// A goroutine ranges over it, or does nothing more once it is woken.
        safe: bool,
        /// By what the function waits for that goroutine elsewhere: a channel, or a group (`true`).
        wait: Option<(LocalId, bool)>,
    },
    /// A lock is held at [`FixSite::leaks`]; [`FixSite::releases`] are the unlocking statements. The call is the locking one.
    MissingUnlock {
        /// `Unlock` or `RUnlock`.
        verb: &'static str,
        /// Operands of a return may be what the lock protects.
        touched: bool,
        /// Nothing else takes the same lock in the function.
        single: bool,
        /// The function does something, once it has given the lock back, that it must not do with it.
        goes_on: bool,
    },
    /// [`FixSite::literal`] returns without the `Done` that [`FixSite::releases`] call elsewhere.
    DeferDone {
        /// Nothing is done after any of them.
        last: bool,
        /// The `Add(1)` in front of the `go` statement, and that statement, where `WaitGroup.Go` can take the place of both.
        go: Option<(StmtId, StmtId)>,
    },
    /// `ctx = context.With…(ctx, …)` in a loop.
    GrowingContext {
        /// The loop.
        looping: StmtId,
    },
    /// [`FixSite::releases`] start goroutines of a limited group in a function that the group runs: [`FixSite::literal`].
    NestedGroup {
        /// Its last statement, which returns nil.
        last: StmtId,
    },
    /// A lock is given back in the wrong way. The call is the one that gives it back.
    WrongUnlock {
        /// What it has to be: `Unlock` or `RUnlock`.
        verb: &'static str,
    },
    /// A goroutine's loop has no exit.
    ExitArm {
        /// The select in the loop.
        select: StmtId,
        /// A context that can be named there.
        context: LocalId,
    },
    /// A loop waits without looking at a context. The acquisition's statement is the wait.
    WaitArm {
        /// The context.
        context: LocalId,
        /// It is `time.Sleep`, not a receive.
        sleeps: bool,
    },
    /// A worker is started and not stopped. The call is the starting one.
    StopWorker {
        /// The method that stops it.
        stop: Name,
    },
    /// A goroutine is not waited for at [`FixSite::leaks`].
    Unjoined {
        /// The channel or the group by which it says that it has come to its end.
        handle: LocalId,
        /// It is a group.
        group: bool,
    },
    /// A loop starts goroutines without a bound. The acquisition's statement is what starts one.
    Unbounded {
        /// The loop.
        looping: StmtId,
        /// The literal that the goroutine runs.
        literal: Option<ExprId>,
        /// The error group of the function that starts them.
        group: Option<LocalId>,
    },
    /// Something is kept by accident.
    Retained(Retained),
    /// A goroutine adds itself to a wait group.
    MoveAdd {
        /// The `go` statement.
        go: StmtId,
        /// The deferred `Done`, where `WaitGroup.Go` can take the place of `go`, `Add` and `Done`.
        done: Option<StmtId>,
    },
    /// A collection grows without bound: the "call" names it, the statement makes it grow.
    Bound {
        /// It is a map.
        map: bool,
    },
    /// A map is never made anew: the "call" names it, the statement deletes from it.
    MakeAnew,
    /// A label is the path of a request: the "call" is the label's value.
    RouteLabel,
}

/// Ways to keep something by accident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Retained {
    /// [`FixSite::parts`] of a buffer are kept, and all of it with them.
    Parts {
        /// They are strings.
        text: bool,
        /// The type of an element, where the buffer is made; it is bytes without.
        element: Option<ExprId>,
        /// Neither the buffer nor a part is written to later.
        safe: bool,
    },
    /// A buffer goes back into a pool as it is: the acquisition's call and statement are those of `Put`, and this variable is the buffer.
    NotReset {
        /// The buffer.
        buffer: LocalId,
        /// The statement is a `defer`.
        deferred: bool,
    },
    /// A slice goes back into a pool with its elements.
    Uncleared {
        /// The slice.
        slice: LocalId,
        /// It is a pointer to one.
        pointer: bool,
        /// The statement is a `defer`.
        deferred: bool,
    },
    /// A buffer goes back into a pool however large it is.
    NotMeasured {
        /// The buffer.
        buffer: LocalId,
        /// It is a slice, or a pointer to one (`true`), rather than a `bytes.Buffer`.
        slice: Option<bool>,
        /// It is this field of the thing.
        field: Option<Name>,
        /// The statement is a `defer`.
        deferred: bool,
    },
    /// What goes into a pool is no pointer: the acquisition's call and statement are those of `Put`.
    Boxed {
        /// The pool, if it is a package-level variable.
        pool: Option<Name>,
    },
    /// A function that lives long captures a buffer: [`FixSite::parts`] are all that it needs of it, each the same. The acquisition's
    /// statement starts or stores the function.
    Captured {
        /// Its length, rather than a part.
        measures: bool,
        /// The buffer holds bytes.
        bytes: bool,
    },
    /// A buffer begins empty in each call: the acquisition's statement declares it.
    Pooled {
        /// The buffer.
        buffer: LocalId,
    },
    /// The acquisition's call makes the same in each call of the function.
    Hoist {
        /// How often the function does so before it.
        before: u32,
        /// It surely does not fail.
        valid: bool,
        /// It is a template, rather than a regular expression.
        template: bool,
    },
    /// A slice is cut: the acquisition's call is the value that is assigned, its statement the assignment.
    Tail {
        /// How.
        shape: Tail,
        /// What is assigned to.
        place: ExprId,
        /// The statement assigns nothing else.
        alone: bool,
        /// Elements can be nil.
        nilable: bool,
        /// The slice is being ranged over.
        ranged: bool,
    },
    /// A finalizer captures its object: [`FixSite::parts`] are the mentions.
    Finalizer {
        /// The function literal.
        literal: ExprId,
        /// The variable.
        object: LocalId,
        /// The parameter has no name.
        rename: bool,
    },
    /// A cleanup needs one field of its object: [`FixSite::parts`] read it.
    Cleanup {
        /// The function literal.
        literal: ExprId,
        /// What it is given now; a finalizer without.
        argument: Option<ExprId>,
        /// The variable.
        object: LocalId,
        /// The field.
        field: Name,
        /// The field's type as it is written.
        ty: Name,
    },
}

/// How a slice is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tail {
    /// `s = s[:bound]`.
    Cut {
        /// The new end.
        bound: ExprId,
    },
    /// `s = s[:0]`.
    Emptied,
    /// `s = s[bound:]`.
    Queue {
        /// The new beginning.
        bound: ExprId,
    },
    /// `kept := s[:0]`, appended to, then `s = kept`.
    Filtered {
        /// What is assigned.
        kept: ExprId,
    },
    /// `s = append(s[:from], s[to:]...)`.
    Removed {
        /// The first that goes.
        from: ExprId,
        /// The first that stays behind it.
        to: ExprId,
    },
}

/// How large a buffer has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BufferSize {
    /// So many.
    Count(u32),
    /// As many as an expression says.
    Of {
        /// The expression.
        expr: ExprId,
        /// Its length counts, not its value.
        len: bool,
        /// So many more.
        plain: u32,
    },
}

/// The acquisition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acquire {
    /// The call.
    pub call: ExprId,
    /// The simple statement that holds it: an assignment, `var`, or expression statement.
    pub stmt: Option<StmtId>,
    /// How its result is kept.
    pub shape: AcquireShape,
    /// Which result of the call is the thing.
    pub result: usize,
    /// Which result of the call is the error.
    pub error_result: Option<usize>,
}

/// How the result of the acquiring call is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AcquireShape {
    /// `x, err := f()` as a statement of a block.
    Define,
    /// `x, err = f()` as a statement of a block.
    Assign,
    /// `var x, err = f()`.
    Var,
    /// In the initialiser of this `if`, `switch` or `for`.
    Init(StmtId),
    /// `f()` as a statement.
    Statement,
    /// Anywhere else: an argument, an operand.
    Nested,
}

/// The place that holds the thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value {
    /// The variable at its root.
    pub local: LocalId,
    /// Fields from there, outermost first.
    pub fields: Vec<Name>,
    /// The whole as source text: `f`, `s.file`.
    pub text: String,
    /// Whether this acquisition's `:=` or `var` declares the variable.
    pub declared_here: bool,
}

/// The error of an acquisition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorVar {
    /// The variable; `None` for `_`.
    pub local: Option<LocalId>,
    /// The `if` (or call statement, for `require.NoError(t, err)`) right behind the acquisition, or the `if` that holds it in its
    /// initialiser, that deals with the error.
    pub check: Option<StmtId>,
}

/// Where a deferred release can be inserted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InsertPoint {
    /// As the next statement of the same block.
    After(StmtId),
    /// As the first statement of the block with this range (both braces included).
    BlockStart(TextRange),
    /// In place of the `else` of this `if`, before the `if` that follows there, which then stands by itself.
    ElseIf(StmtId),
}

/// Where the thing is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeakPoint {
    /// The return, branch, or overwriting assignment; `None` is the end of the body.
    pub stmt: Option<StmtId>,
    /// Which of these.
    pub kind: LeakKind,
    /// Its operands mention the thing or something that may have been made from it: a release before it may change what it gives.
    pub operands_touch: bool,
}

/// The ways to lose a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LeakKind {
    /// `return`.
    Return,
    /// The end of the function's body.
    End,
    /// The next iteration begins: `continue`, or the end of the loop's body.
    NextIteration,
    /// Another value is assigned to the variable.
    Overwrite,
    /// `panic` and the like. Only as a step on the way of another leak.
    Panic,
}

/// A `defer` in a loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoopDefer {
    /// The statement.
    pub defer: StmtId,
    /// The innermost loop around it.
    pub loop_stmt: StmtId,
    /// Other `defer` statements of the same function inside that loop.
    pub other_defers: Vec<StmtId>,
    /// The loop's body calls `recover` (directly or in a deferred literal).
    pub has_recover: bool,
}
