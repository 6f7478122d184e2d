//! Code that runs again and again: handlers of requests, and loops that wait for the next thing to do.

use std::sync::Arc;

use go_model::db::{Db, DeclId, DeclSort, decl_tree};
use go_model::facts::{Callee, LocalId, Res};
use go_model::package::{PackageId, package_of_decl};
use go_model::types::{ChanDir, Ty, TyKind};
use go_syntax::ast::{ExprId, ExprKind, Signature, StmtId, StmtKind, UnaryOp};
use go_syntax::{Literals, Name, NodeId};

use super::body::Body;
use super::index::who_mentions;
use super::served::served;
use super::shape::{Called, shape};
use super::source::{Source, Through};

/// How often something in a declaration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Runs {
    /// Once in the life of the process.
    Once,
    /// As often as the declared function is called.
    Function,
    /// For every request.
    Handler,
    /// In each round of a loop that waits for something to do.
    Loop,
}

/// Parameters by which a function is known to be called for every request or message: path of the package and type.
const REQUESTS: &[(&str, &str)] = &[
    ("net/http", "Request"),
    ("net/http", "ResponseWriter"),
    ("github.com/gin-gonic/gin", "Context"),
    ("github.com/labstack/echo/v4", "Context"),
    ("github.com/labstack/echo", "Context"),
    ("github.com/labstack/echo/v5", "Context"),
    ("github.com/gofiber/fiber/v2", "Ctx"),
    ("github.com/gofiber/fiber/v3", "Ctx"),
    ("github.com/valyala/fasthttp", "RequestCtx"),
    ("github.com/miekg/dns", "ResponseWriter"),
    ("github.com/bwmarrin/discordgo", "MessageCreate"),
    ("github.com/bwmarrin/discordgo", "InteractionCreate"),
    ("github.com/emicklei/go-restful/v3", "Request"),
    ("google.golang.org/grpc", "UnaryServerInfo"),
    ("google.golang.org/grpc", "StreamServerInfo"),
    ("google.golang.org/grpc", "ServerStream"),
    ("sigs.k8s.io/controller-runtime/pkg/reconcile", "Request"),
    ("sigs.k8s.io/controller-runtime", "Request"),
    (
        "sigs.k8s.io/controller-runtime/pkg/webhook/admission",
        "Request",
    ),
    ("log/slog", "Record"),
    ("github.com/kataras/iris/v12", "Context"),
    ("github.com/kataras/iris/v12/context", "Context"),
    ("github.com/cloudwego/hertz/pkg/app", "RequestContext"),
    ("github.com/gogf/gf/v2/net/ghttp", "Request"),
    ("github.com/beego/beego/v2/server/web/context", "Context"),
    ("github.com/elazarl/goproxy", "ProxyCtx"),
    ("github.com/PaulSonOfLars/gotgbot/v2/ext", "Context"),
    ("gopkg.in/telebot.v3", "Context"),
    ("gopkg.in/telebot.v4", "Context"),
    ("github.com/go-telegram/bot/models", "Update"),
    (
        "github.com/go-telegram-bot-api/telegram-bot-api/v5",
        "Update",
    ),
    ("github.com/mymmrac/telego", "Update"),
    ("github.com/slack-go/slack/socketmode", "Event"),
    ("github.com/eclipse/paho.mqtt.golang", "Message"),
    ("github.com/nats-io/nats.go", "Msg"),
    ("github.com/rabbitmq/amqp091-go", "Delivery"),
    ("github.com/streadway/amqp", "Delivery"),
    ("github.com/IBM/sarama", "ConsumerMessage"),
    ("github.com/Shopify/sarama", "ConsumerMessage"),
    ("github.com/gliderlabs/ssh", "Session"),
    ("github.com/charmbracelet/ssh", "Session"),
    ("golang.org/x/crypto/ssh", "ConnMetadata"),
    ("golang.org/x/crypto/ssh", "NewChannel"),
];

pub(super) fn is_request(ty: &Ty) -> bool {
    match ty.kind() {
        // `Collect(ch chan<- prometheus.Metric)` is called at each scrape.
        TyKind::Chan(ChanDir::Send, of) => {
            of.is_named("github.com/prometheus/client_golang/prometheus", "Metric")
        }
        _ => ty.as_named_or_pointer().is_some_and(|named| {
            named.local == 0
                && REQUESTS
                    .iter()
                    .any(|(package, name)| named.package == *package && named.name == *name)
        }),
    }
}

/// Whether functions with these parameters are called for every request.
pub(super) fn is_handler(
    body: &Body<'_>,
    params: &[Option<LocalId>],
    signature: &Signature,
) -> bool {
    let named = params.iter().flatten();
    named
        .map(|local| &body.facts.locals[*local].ty)
        .chain(signature.params.iter().filter_map(|p| body.ty(p.ty)))
        .any(is_request)
}

/// How often an expression or a statement of a declaration runs.
pub(super) fn runs(body: &Body<'_>, node: impl Into<NodeId>) -> Runs {
    let tree = body.tree;
    let mut at: NodeId = node.into();
    // Loops do not reach into a literal that is kept for later.
    let mut kept = false;
    while let Some(around) = body.parent(at) {
        match around {
            NodeId::Expr(e) => {
                if let Some(literal) = tree.func_lit(e) {
                    let params = body.facts.literals.get(e).map_or(&[][..], |l| &l.params);
                    if is_handler(body, params, &literal.signature) {
                        return Runs::Handler;
                    }
                    if is_once(body, e) {
                        return Runs::Once;
                    }
                    kept |= !is_called_here(body, e);
                }
            }
            NodeId::Stmt(s) => {
                let inside = match &tree[s].kind {
                    StmtKind::For { body, .. } | StmtKind::Range { body, .. } => {
                        body.range.contains_range(tree.range(at))
                    }
                    _ => false,
                };
                if inside && !kept && waits_for_work(body, s) {
                    return Runs::Loop;
                }
            }
        }
        at = around;
    }
    let Some(func) = tree.func() else {
        return Runs::Once;
    };
    if is_handler(body, &body.facts.params, &func.signature) || is_rpc(body) {
        return Runs::Handler;
    }
    let db = body.db;
    let starts = body.decl.sort(db) == DeclSort::Func
        && (func.name.name == "init"
            || func.name.name == "main" && body.package.name(db) == "main");
    if starts { Runs::Once } else { Runs::Function }
}

/// A method that a server of remote procedure calls calls: that of gRPC, whose type embeds `UnimplementedXServer`, or one that looks
/// for methods by itself.
pub(super) fn is_rpc(body: &Body<'_>) -> bool {
    if !body.decl.name(body.db).is_exported() || body.facts.params.is_empty() {
        return false;
    }
    let Some(ty) = body.decl.receiver(body.db) else {
        return false;
    };
    if served(body.db, body.package).contains(&ty) {
        return true;
    }
    let Some(receiver) = body.facts.receiver else {
        return false;
    };
    if !is_remote(body) {
        return false;
    }
    let ty = &body.facts.locals[receiver].ty;
    let ty = match ty.kind() {
        TyKind::Pointer(inner) => inner,
        _ => ty,
    };
    match body.view().underlying(ty).kind() {
        TyKind::Struct(fields) => fields.iter().any(|f| {
            let name = f.name.as_str();
            f.embedded && name.starts_with("Unimplemented") && name.ends_with("Server")
        }),
        _ => false,
    }
}

/// Whether a method has the parameters of one that gRPC calls: a context and a message, or a stream at the end.
fn is_remote(body: &Body<'_>) -> bool {
    let Some(func) = body.tree.func() else {
        return false;
    };
    let mut types = func.signature.params.iter().map(|p| body.ty(p.ty));
    let (first, last) = (types.next().flatten(), types.next_back().flatten());
    let is_context = |ty: &Ty| ty.is_named("context", "Context");
    match (func.signature.params.len(), first, last) {
        (2, Some(first), _) if is_context(first) => true,
        (1 | 2, first, last) => last.or(first).is_some_and(|ty| {
            ty.as_named_or_pointer()
                .is_some_and(|n| n.name.as_str().ends_with("Server"))
        }),
        _ => false,
    }
}

/// Whether a literal is given to `sync.Once.Do`, `sync.OnceFunc` and their kin.
fn is_once(body: &Body<'_>, literal: ExprId) -> bool {
    let Some((call, _)) = body.argument_of(literal) else {
        return false;
    };
    match body.callee(call) {
        Some(Callee::Method(m)) => m.is("sync", "Once", "Do"),
        Some(Callee::Func(f)) => f.package == "sync" && f.name.as_str().starts_with("Once"),
        _ => false,
    }
}

/// Whether a literal is called where it stands, also by `go` and `defer`.
fn is_called_here(body: &Body<'_>, literal: ExprId) -> bool {
    let mut at = literal;
    while let Some(NodeId::Expr(e)) = body.parent(at) {
        match &body.tree[e].kind {
            ExprKind::Paren(_) => at = e,
            ExprKind::Call { func, .. } => return *func == at,
            _ => return false,
        }
    }
    false
}

/// Whether a loop waits for something to do, again and again: for a tick, a message, a connection.
pub(super) fn waits_for_work(body: &Body<'_>, stmt: StmtId) -> bool {
    let tree = body.tree;
    match &tree[stmt].kind {
        StmtKind::Range { over, .. } => {
            let is_chan = (body.ty(tree.unparen(*over)))
                .is_some_and(|ty| matches!(body.view().underlying(ty).kind(), TyKind::Chan(..)));
            is_chan && is_lasting(body, *over) && !is_closed(body, *over)
        }
        StmtKind::For {
            init: None,
            cond,
            post: None,
            body: block,
        } => {
            let endless = match cond {
                None => true,
                Some(cond) => matches!(
                    body.facts.refs.get(tree.unparen(*cond)),
                    Some(Res::Bool(true))
                ),
            };
            endless
                && tree
                    .walk_block(block, Literals::Skip)
                    .any(|node| is_wait(body, node))
        }
        _ => false,
    }
}

/// Whether the package closes a channel of this name: a loop over it comes to its end.
fn is_closed(body: &Body<'_>, chan: ExprId) -> bool {
    let ExprKind::Selector { name, .. } = &body.tree[body.tree.unparen(chan)].kind else {
        return false;
    };
    let Some(mentions) = who_mentions(body.db, body.package, name.name) else {
        return false;
    };
    mentions.iter().any(|decl| {
        let tree = decl_tree(body.db, *decl);
        tree.exprs.iter().any(|(_, e)| match &e.kind {
            ExprKind::Call { func, args, .. } => {
                matches!(&tree[*func].kind, ExprKind::Ident(f) if *f == "close")
                    && args.first().is_some_and(|a| {
                        matches!(&tree[tree.unparen(*a)].kind,
                            ExprKind::Selector { name: closed, .. } if closed.name == name.name)
                    })
            }
            _ => false,
        })
    })
}

/// Whether a node waits for something that comes from outside of the function.
fn is_wait(body: &Body<'_>, node: NodeId) -> bool {
    let NodeId::Expr(e) = node else { return false };
    match &body.tree[e].kind {
        ExprKind::Unary {
            op: UnaryOp::Receive,
            operand,
        } => is_lasting(body, *operand),
        ExprKind::Call { .. } => match body.callee(e) {
            Some(Callee::Func(f)) => f.is("time", "Sleep"),
            Some(Callee::Method(m)) => {
                let name = m.name.as_str();
                m.package == "net"
                    && matches!(
                        name,
                        "Accept"
                            | "AcceptTCP"
                            | "ReadFrom"
                            | "ReadFromUDP"
                            | "AcceptUnix"
                            | "ReadFromUDPAddrPort"
                    )
                    || m.package == "github.com/gorilla/websocket"
                        && matches!(name, "ReadMessage" | "ReadJSON" | "NextReader")
            }
            _ => false,
        },
        _ => false,
    }
}

/// Whether a channel is one that is there for long: a ticker's, a field, a package variable, what a function gave. Not one
/// that was made here to collect results, and not the end of a context.
fn is_lasting(body: &Body<'_>, chan: ExprId) -> bool {
    let chan = body.tree.unparen(chan);
    match &body.tree[chan].kind {
        ExprKind::Selector { .. } => true,
        ExprKind::Call { .. } => match body.callee(chan) {
            Some(Callee::Method(m)) => !m.is("context", "Context", "Done"),
            Some(Callee::Func(f)) => f.is("time", "Tick") || f.is("time", "After"),
            _ => false,
        },
        ExprKind::Ident(_) => match body.facts.refs.get(chan) {
            Some(Res::Package(_)) => true,
            Some(Res::Local(local)) => match body.only_value(*local) {
                Some(value) => !body.is_builtin(value, "make") && is_lasting(body, value),
                // A parameter may be a channel that somebody fills and closes.
                None => false,
            },
            _ => false,
        },
        _ => false,
    }
}

/// Why something runs again and again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Chain {
    /// The functions on the way, from the one that runs again and again down to the asked one.
    pub(crate) decls: Vec<DeclId>,
    /// How the first of them does, or what in it.
    pub(crate) runs: Runs,
    /// How the keys get from there to here.
    pub(crate) through: Through,
}

/// The most functions that are looked at on the way up.
const MAX_CALLERS: usize = 60;
/// The longest chain of calls.
const MAX_CHAIN: usize = 6;

/// Whether a function is called again and again, with arguments from outside for these parameters (all of them, by bits).
pub(super) fn repeated(db: &dyn Db, decl: DeclId, params: u64) -> Option<Chain> {
    let package = package_of_decl(db, decl);
    let mut queue = vec![Asked {
        decl,
        params,
        through: Through::Straight,
        way: vec![decl],
    }];
    let mut next = 0;
    let mut found: Option<Chain> = None;
    while next < queue.len() {
        let asked = queue[next].clone();
        next += 1;
        if asked.way.len() > MAX_CHAIN {
            continue;
        }
        for (caller, called) in callers(db, package, asked.decl) {
            let needed = match asked.params {
                0 => Source::Input(asked.through),
                bits => Source::Params(bits, asked.through).through(&called.args),
            };
            let (bits, through) = match needed {
                Source::Input(through) => (0, through),
                Source::Params(bits, through) => (bits, through),
                _ => continue,
            };
            let mut way = asked.way.clone();
            way.insert(0, caller);
            match called.runs {
                Runs::Once => {}
                // What a handler is given comes from outside.
                Runs::Handler => found = better(found, way, Runs::Handler, through),
                Runs::Loop if bits == 0 => found = better(found, way, Runs::Loop, through),
                Runs::Loop | Runs::Function => {
                    let known =
                        |a: &Asked| a.decl == caller && a.params == bits && a.through == through;
                    if !queue.iter().any(known) && queue.len() < MAX_CALLERS {
                        queue.push(Asked {
                            decl: caller,
                            params: bits,
                            through,
                            way,
                        });
                    }
                }
            }
            if found
                .as_ref()
                .is_some_and(|c| c.through == Through::Straight)
            {
                return found;
            }
        }
    }
    found
}

/// A function on the way up.
#[derive(Clone)]
struct Asked {
    decl: DeclId,
    params: u64,
    through: Through,
    way: Vec<DeclId>,
}

fn better(known: Option<Chain>, decls: Vec<DeclId>, runs: Runs, through: Through) -> Option<Chain> {
    if known.as_ref().is_some_and(|k| k.through <= through) {
        return known;
    }
    Some(Chain {
        decls,
        runs,
        through,
    })
}

/// The calls of a function in its package.
pub(super) fn callers(db: &dyn Db, package: PackageId, decl: DeclId) -> Vec<(DeclId, Called)> {
    let name: Name = decl.name(db);
    let receiver = decl.receiver(db);
    let mut found = Vec::new();
    let Some(mentions) = who_mentions(db, package, name) else {
        return found;
    };
    for &caller in mentions.iter() {
        let shape: Arc<super::shape::Shape> = shape(db, caller);
        let calls = shape.calls.iter();
        found.extend(
            calls
                .filter(|c| c.name == name && c.receiver == receiver)
                .map(|c| (caller, c.clone())),
        );
    }
    found
}
