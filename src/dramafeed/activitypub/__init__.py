"""ActivityPub: what other servers read and write, how it is signed, and the one door out.

Each module can be imported alone; this file imports nothing. Every `now` is an aware datetime.

**addresses**: the one canonicaliser for URLs, hosts and authorities, and the forbidden addresses.

    @dataclass(frozen=True)
    class WebAddress: scheme: str; host: str; port: int; target: str; fragment: str
        .authority  "host" or "host:port" (only a port that is not the scheme's own; [IPv6])
        .origin     "https://authority"
        .url        origin + target, without fragment
        .literal    the IP address, when the host is one
    def parse(url: str) -> WebAddress                       # MalformedError
    def authority(url: str) -> str                          # MalformedError
    def canonical_authority(text: str, scheme: str = "https") -> str   # of a Host header or domain
    def same_origin(one: str, other: str) -> bool           # False when either is malformed
    def without_fragment(url: str) -> str
    def forbidden_reason(ip: str) -> str | None             # why an IP may not be dialled

**vocabulary**: pure, both ways; the only place that spells wire names. `Document = dict[str, Any]`.

    ACTIVITY_JSON, LD_JSON, JRD_JSON, XRD_XML, PUBLIC, ACTOR_TYPES, NODEINFO_SCHEMAS,
    MAX_ACTIVITY_BYTES (48 KiB), MAX_INBOX_BYTES (256 KiB), MAX_DEPTH (32)
    def dumps(document: Mapping[str, Any]) -> bytes         # deterministic bytes
    def fits(body: bytes) -> bool                           # at most 48 KiB
    def timestamp(moment: datetime) -> str                  # RFC 3339 with Z
    def without_context(document: Mapping[str, Any]) -> Document

    class ActorKind(StrEnum): PERSON, BLOG, INSTANCE
    @dataclass(frozen=True)
    class ProfileField: name: str; url: str = ""; html: str = ""       # url -> a rel=me link
    @dataclass(frozen=True)
    class ActorProfile: handle: str; kind: ActorKind; name, page, public_key_pem: str;
        published: datetime; summary_html: str = ""; icon, header: model.Image | None = None;
        fields: tuple[ProfileField, ...] = (); attribution_hosts: tuple[str, ...] = ();
        also_known_as: tuple[str, ...] = (); moved_to: str = ""
    def actor(*, urls: Urls, profile: ActorProfile) -> Document
    def instance_actor(*, urls: Urls, name: str, public_key_pem: str) -> Document
    def instance_handle(urls: Urls) -> str                  # its name in WebFinger: our host

    @dataclass(frozen=True)
    class Mention: actor: str; account: str                 # account: "user@domain"
    @dataclass(frozen=True)
    class PostContent: uid, handle, page, content_html, language: str; published: datetime;
        title: str = ""; excerpt: str = ""; updated: datetime | None = None; spoiler: str = "";
        sensitive: bool = False; tags: tuple[tuple[str, str], ...] = () (tag, URL of its page);
        mentions: tuple[Mention, ...] = (); images: tuple[model.Image, ...] = ();
        unlisted: bool = False; open_quotes: bool = False; likes: int = 0; shares: int = 0;
        replies: int = 0
    def note(*, urls: Urls, post: PostContent) -> Document
    def article(*, urls: Urls, post: PostContent) -> Document
    def tombstone(*, object_id: str, deleted: datetime | None = None,
                  former_type: str = "Note") -> Document
    def hashtag(tag: str) -> str                            # "K drama" -> "KDrama", without "#"
    def hashtags(tags: Sequence[tuple[str, str]]) -> list[tuple[str, str]]   # each once
    def teaser_html(*, title: str, rating: str = "", excerpt: str = "", page: str, link_text: str,
                    tags: Sequence[tuple[str, str]] = ()) -> str

    # Activities. `uid` names the activity (urls.activity(uid)); `handle` our actor that acts.
    def create(*, urls, uid: str, document: Document) -> Document     # document: note or article
    def update(*, urls, uid: str, document: Document) -> Document     # ... or our actor
    def delete(*, urls, uid: str, handle: str, object_id: str, deleted: datetime | None = None)
    def announce(*, urls, uid: str, handle: str, object_id: str, author_id: str,
                 published: datetime) -> Document
    def undo(*, urls, uid: str, handle: str, activity: Document) -> Document
    def accept(*, urls, uid: str, handle: str, follow_id: str, follower: str) -> Document
    def reject(*, urls, uid: str, handle: str, follow_id: str, follower: str) -> Document
    def add_featured / remove_featured(*, urls, uid: str, handle: str, object_id: str) -> Document
    def move(*, urls, uid: str, handle: str, target: str) -> Document

    def collection / ordered_collection(*, id: str, total: int | None = None,
        items: Sequence[Any] | None = None, first: str | None = None) -> Document
    def collection_page / ordered_collection_page(*, id: str, part_of: str, items: Sequence[Any],
        next_page: str | None = None, prev_page: str | None = None, total: int | None = None)
    def featured_tags(*, urls: Urls, handle: str, tags: Sequence[tuple[str, str]]) -> Document

    def webfinger(*, urls: Urls, handle: str, actor_id: str, page: str | None = None) -> Document
    def host_meta(*, urls: Urls) -> bytes
    def nodeinfo_links(*, urls: Urls) -> Document
    def nodeinfo(*, urls: Urls, schema: str ("2.0" | "2.1"), version: str, users: int, posts: int,
                 comments: int = 0, name: str = "", description: str = "") -> Document
    def nodeinfo_type(schema: str) -> str                   # its media type

    def load(raw: bytes, *, limit: int = 256 KiB) -> Document   # strict JSON object; MalformedError
    def parse_activity(raw: bytes) -> IncomingActivity          # MalformedError
    def parse_object(document: Document) -> IncomingObject      # a fetched or inline Note
    def parse_actor(document: Document, url: str) -> RemoteActor
    def key_owner(document: Document, key_id: str) -> str       # whom a key document speaks for
    def parse_webfinger(document: Document) -> tuple[str, str | None]   # (subject, self link)
    @dataclass(frozen=True)
    class IncomingObject: id, type, actor, object, attributed_to, in_reply_to, url, content,
        summary, name, language: str | None; to, cc: tuple[str, ...];
        published, updated: datetime | None; sensitive: bool;
        mentions, hashtags: tuple[str, ...]; has_attachments: bool; inline: bool
        .public -> bool
    @dataclass(frozen=True)
    class IncomingActivity: id, type, actor: str; object: IncomingObject | None;
        object_ids: tuple[str, ...]; target, instrument, content: str | None;
        to, cc: tuple[str, ...]; published: datetime | None; document: Document
        .public -> bool; .object_id -> str | None
    @dataclass(frozen=True)
    class RemoteKey: id: str; owner: str; pem: str
    @dataclass(frozen=True)
    class RemoteActor: id, type, handle, domain, name, url, inbox: str; shared_inbox: str | None;
        icon: str | None; followers: str | None; keys: tuple[RemoteKey, ...];
        also_known_as: tuple[str, ...]; moved_to: str | None
        .delivery_inbox -> str (shared if there is one); .key(key_id) -> RemoteKey | None

**signatures**: signs draft-cavage and RFC 9421, and judges both. All refusals are SignatureError.

    class PrivateKey: generate() / from_pem(text: str) (class methods); pem() -> str;
        public_pem: str; sign(data: bytes) -> bytes
    @dataclass(frozen=True)
    class Signer: key: PrivateKey; key_id: str              # SignatureError for an unusable key id
    def sign_cavage(signer: Signer, method: str, url: str, *, now: datetime,
                    body: bytes | None = None) -> dict[str, str]
    def sign_rfc9421(same arguments) -> dict[str, str]      # all headers to send, Host and Date too
    @dataclass(frozen=True)
    class SignedRequest: method: str; target: str (raw path with query); headers: Mapping[str,
        Sequence[str]] (names in lower case); body: bytes; origin: str (urls.origin);
        allowed_hosts: frozenset[str] = frozenset() (authorities accepted besides origin's own)
    def read(request: SignedRequest, *, now: datetime) -> ParsedSignature     # no key needed
    def verify(parsed: ParsedSignature, public_key_pem: str) -> None
    ParsedSignature.key_id: str; ParsedSignature.form: Form (CAVAGE | RFC9421)

**transport**: the one door out. aiohttp is imported when a Transport is made.

    @dataclass(frozen=True)
    class Accept: header: str; types: frozenset[str]        # ACTIVITY, JRD, ANY are provided
    @dataclass(frozen=True)
    class Fetched: url: str; document: Document; media_type: str
    @dataclass(frozen=True)
    class Body: url: str; content: bytes; media_type: str
    @dataclass(frozen=True)
    class Answer: status: int; retry_after: int | None = None; body: str = ""
    @dataclass(frozen=True)
    class Observation: url: str; status: int; headers: Mapping[str, str]; body: bytes;
        certificate_end: datetime | None = None
    @dataclass(frozen=True)
    class Limits: connect = 5.0; total = 10.0; size = 1 MiB; redirects = 3; connections = 100
    class Transport(*, user_agent: str, clock: Callable[[], datetime] = ..., allow_private = False,
                    limits: Limits | None = None, resolve: Resolve | None = None,
                    policy: Policy | None = None)
        async with Transport(...) as transport: ...         # or await transport.close()
        async def get_json(url, *, signer: Signer | None = None, accept = ACTIVITY) -> Fetched
        async def get_bytes(url, *, signer: Signer | None = None, accept = ANY) -> Body
        async def post(url, body: bytes, headers: Mapping[str, str], *,
                       content_type: str = ACTIVITY_JSON) -> Answer
        async def observe(method, url, *, headers=None, body=None) -> Observation   # for diagnosis
    def user_agent(version: str, base_url: str) -> str

**dereference**: fetching with the rule that a document speaks only for its own id.
TransportError when there is no usable answer, MalformedError when it is not what it must be.

    async def fetch_document(transport, url: str, *, signer: Signer | None = None) -> Fetched
    async def fetch_actor(transport, url: str, *, signer: Signer | None = None) -> RemoteActor
    async def fetch_key_owner(transport, key_id: str, *, signer=None) -> RemoteActor
    async def fetch_with_key(transport, url: str, *, signer=None) -> tuple[RemoteActor, str]
"""
