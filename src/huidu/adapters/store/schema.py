"""The tables, one schema for SQLite and PostgreSQL (design section 9).

In `recognition_history` times are UTC text such as `2026-11-22 08:10:22.123`, which existing scripts read and
which sorts; elsewhere they are epoch seconds. JSON columns hold what needs no index. Migrations only add.
"""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

recognition_history = Table(
    "recognition_history",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("created_time", String(23), nullable=False),
    Column("filename", Text, nullable=False),
    Column("file_path", Text),
    Column("raw_text", Text),
    Column("itn_text", Text),
    Column("language", String(16)),
    Column("hotwords", Text),
    Column("itn_enabled", Boolean, nullable=False, default=False),
    Column("corrected_text", Text),
    Column("corrected_by", Text),
    Column("corrected_at", String(23)),
    Column("version", String(64), nullable=False),
    Column("fingerprint", String(64), nullable=False),
    Column("request_id", String(64), nullable=False),
    Column("attempt", Integer, nullable=False, default=1),
    Column("answered", Boolean, nullable=False),
    Column("release_id", Integer),
    Column("unit", String(16)),
    Column("user_key", String(16)),
    Column("engine", String(32), nullable=False),
    Column("device", String(32), nullable=False),
    Column("audio_seconds", Float, nullable=False),
    Column("decode_ms", Float, nullable=False),
    Column("rtf", Float),
    Column("channel", Integer),
    Column("segments", JSON),
    Column("options", JSON),
    Column("audio_sha256", String(64)),
    Column("status", String(16), nullable=False),
    Column("error", Text),
    Column("deleted_at", String(23)),
    # Who asked: live users, the golden set, a probe, or warming up. Only live rows are anybody's recognition.
    Column("purpose", String(16), nullable=False),
    # The audience rule by which the gateway chose the version; evidence takes only `share` and `rest`.
    Column("rule", String(16)),
    # Which key made the unit (`core/units.py`); NULL for those of before 0003.
    Column("unit_key_id", String(16)),
    UniqueConstraint("request_id", "attempt", name="uq_request_attempt"),
    Index("ix_history_created", "created_time"),
    Index("ix_history_release", "release_id", "corrected_at"),
)

# What instances say of their sockets, at the end of each and while it is open. Append only; old rows are deleted.
socket_reports = Table(
    "socket_reports",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("request_id", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    Column("ended", Boolean, nullable=False),
    Column("time", Float, nullable=False),
    Column("opened_at", Float, nullable=False),
    Column("version", String(64), nullable=False),
    Column("release_id", Integer),
    Column("rule", String(16)),
    Column("unit", String(16)),
    Column("peer", String(16)),
    Column("share_bp", Integer),
    Column("close_code", Integer),
    Column("closed_by", String(16)),
    Column("first_message_ms", Float),
    Column("frames_up", Integer, nullable=False),
    Column("frames_down", Integer, nullable=False),
    Column("bytes_up", BigInteger, nullable=False),
    Column("bytes_down", BigInteger, nullable=False),
    Column("audio_seconds", Float, nullable=False),
    Column("mute_speech_seconds", Float, nullable=False),
    Column("unit_key_id", String(16)),
    # A gateway that falls back asks two versions under one request id, and both may have opened a socket.
    UniqueConstraint("request_id", "version", "number", name="uq_socket_report"),
    Index("ix_socket_reports_time", "time"),
    # Readers ask for what came after an id: those of deleted rows must not come again.
    sqlite_autoincrement=True,
)

releases = Table(
    "releases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", String(64), nullable=False),
    Column("stable", String(64), nullable=False),
    Column("phase", String(16), nullable=False),
    Column("stage", String(32)),
    Column("outcome", String(16)),
    Column("guard", String(32)),
    Column("reason", Text),
    Column("started_by", Text, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("ended_at", Float),
    Column("state", JSON, nullable=False),
)

release_events = Table(
    "release_events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("release_id", Integer, nullable=False),
    Column("time", Float, nullable=False),
    Column("kind", String(32), nullable=False),
    Column("payload", JSON, nullable=False),
    Index("ix_events_release", "release_id", "id"),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("release_id", Integer, nullable=False),
    Column("stage", String(32), nullable=False),
    Column("kind", String(16), nullable=False),  # second, bad, text, golden or crash
    Column("key", String(200), nullable=False),  # makes recording twice impossible
    Column("time", Float, nullable=False),
    Column("payload", JSON, nullable=False),
    UniqueConstraint("release_id", "kind", "key", name="uq_evidence"),
    Index("ix_evidence_release", "release_id", "id"),
)

# What must survive a restart and belongs to no single release (the fleet, the log's checkpoint).
state = Table(
    "state",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", JSON, nullable=False),
)

# The largest memory a version's process was seen to use: admission reads it.
peak_memory = Table(
    "peak_memory",
    metadata,
    Column("version", String(64), primary_key=True),
    Column("rss_bytes", BigInteger, nullable=False),
    Column("measured_at", Float, nullable=False),
)
