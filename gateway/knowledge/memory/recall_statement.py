"""The statement that ranks one subject's memories: BM25 over the postings, cosine over the embeddings, and what the
conversation around a memory says. One statement, whatever the subject's size.

All visibility conditions stand on the base table, once, and the matches and every statistic are taken from what they
leave: a hidden memory must not even shift the others' scores.

It is shaped so that wrong row estimates cannot hurt it, because right after an import they are always wrong: postings
are reached by their key, lexeme by lexeme; what is visible is tested in a hash (``IN (…) IS TRUE`` stays a subplan, a
bare ``IN`` would become a join); a lexeme's matches are kept as arrays; and where two large sets must meet, they meet
in a FULL JOIN between materialized sets, which PostgreSQL can only hash or merge, never nest in loops. Nothing may be
filtered in the same query block as a FULL JOIN: a condition on one side would turn it into a LEFT JOIN.
"""

from __future__ import annotations

from collections.abc import Collection

K1, B = 0.9, 0.4  # of BM25
# How much each signal moves the order. Words and meaning make the base score, whose standard deviation is about one;
# without meanings it is that of the words alone. The others are in units of it.
LEXICAL, DENSE = 0.45, 0.7
ATTRIBUTE = 2.0  # the memory's slot is named in the question
BEFORE, AFTER = 0.2, 0.1
SPEAKER, DATED = 0.5, 2.5
FACT, QUESTION = 1.0, -0.8  # a fact of a slot is worth more than a turn of talk; a question answers nothing
# A sitting is as good as its best two, less what a longer one has by chance (times the logarithm of its length).
SITTING, BEST_OF_SITTING, LENGTH = 0.8, 2, 0.6
# Only the sittings of the so many best matches are looked at for what stands around them.
SURROUNDINGS = 150
# Reaching 2,500 embeddings by key costs as much as scanning 10,000. With more visible memories than that, meaning is
# compared within a bounded set: the best by words, the latest, and the pinned (ADR-0037).
EXACT_UP_TO = 10_000
BEST_BY_WORDS, LATEST = 1_500, 1_000
# A word that stands in all of a sample of the visible memories (one in so many, at least so many) tells nothing, and
# its postings are most of the work: the name of who speaks, for one.
ONE_IN, SAMPLE = 64, 32

_ALWAYS = """m.subject_pk = %(subject)s AND m.status IN ('active', 'superseded') AND NOT m.hidden
  AND m.recorded_at <= %(known_at)s::timestamptz
  AND (m.retired_at IS NULL OR m.retired_at > %(known_at)s::timestamptz
    OR (m.status = 'superseded' AND NOT m.corrected AND m.valid_to IS NOT NULL))
  AND (m.valid_from IS NULL OR m.valid_from <= %(as_of)s)
  AND (m.valid_to IS NULL OR m.valid_to > %(as_of)s
    OR (m.status = 'superseded' AND m.retired_at > %(known_at)s::timestamptz))
  AND (m.expires_at IS NULL OR m.expires_at > %(now)s)
  AND (NOT (m.source_kinds && (SELECT kinds FROM revoked)) OR (m.lineages IS NOT NULL AND EXISTS (
    SELECT FROM unnest(m.lineages) AS lineage
    WHERE NOT (string_to_array(lineage, chr(31))::varchar[] && (SELECT kinds FROM revoked)))))"""
_IF_ASKED = {
    "memory_scopes": "m.memory_scope = ANY(%(memory_scopes)s)",
    "types": "m.type = ANY(%(types)s)",
    "visibilities": "m.scope = ANY(%(visibilities)s)",
    "personas": "(m.persona_id IS NULL OR m.scope <> 'private' OR m.persona_id = ANY(%(personas)s))",
    "min_confidence": "m.confidence >= %(min_confidence)s",
}

_WORDS = """
revoked AS MATERIALIZED (
    SELECT coalesce(array_agg(kind), '{{}}')::varchar[] AS kinds
    FROM memory_subject CROSS JOIN LATERAL unnest(revoked) AS kind WHERE subject_pk = ANY(%(owners)s::uuid[])),
visible AS MATERIALIZED (
    SELECT m.id, m.n_tok, m.sitting, m.speaker, m.occurred_at, m.pinned_at IS NOT NULL AS pinned,
        m.slot IS NOT NULL AS fact, (string_to_array(translate(lower(m.slot), '_-:[]', '...'), '.')
            && %(attributes)s::text[]) IS TRUE AS asked_for,
        CASE WHEN m.n_tok <= 64 THEN strpos(m.body, '?') > 0 ELSE false END AS question
    FROM memory m WHERE {visible}),
st AS MATERIALIZED (SELECT count(*)::float8 AS n, avg(n_tok)::float8 AS a FROM visible),
qt AS MATERIALIZED (
    SELECT lexeme, lexeme = ANY(tsvector_to_array(to_tsvector('pg_catalog.english', %(topic)s))) AS topical
    FROM unnest(tsvector_to_array(to_tsvector('pg_catalog.english', %(query)s))) AS lexeme),
sample AS MATERIALIZED (SELECT id FROM visible WHERE uuid_hash(id) %% {one_in} = 0),
weighed AS MATERIALIZED (
    SELECT qt.*, (SELECT count(*) FROM sample) < {sample} OR EXISTS (
        SELECT FROM sample WHERE NOT EXISTS (
            SELECT FROM memory_token k
            WHERE k.subject_pk = %(subject)s AND k.lexeme = qt.lexeme AND k.memory_id = sample.id OFFSET 0)) AS tells
    FROM qt),
telling AS MATERIALIZED (
    SELECT lexeme, topical FROM weighed
    WHERE tells OR NOT EXISTS (SELECT FROM weighed AS other WHERE other.tells AND other.topical)),
p AS MATERIALIZED (
    SELECT topical, found.*, coalesce(cardinality(found.ids), 0)::float8 AS df FROM telling CROSS JOIN LATERAL (
        SELECT array_agg(k.memory_id) AS ids, array_agg(k.tf) AS tfs, array_agg(k.n_tok) AS lengths
        FROM memory_token k
        WHERE k.subject_pk = %(subject)s AND k.lexeme = telling.lexeme
            AND (k.memory_id IN (SELECT id FROM visible)) IS TRUE) AS found),
w AS MATERIALIZED (
    SELECT p.*, ln(1 + (st.n - p.df + .5) / (p.df + .5)) AS idf, {k1} * {b} / st.a AS per_token
    FROM p CROSS JOIN st WHERE st.n > 0),
lex AS MATERIALIZED (
    SELECT u.id, sum(w.idf * topical::int) AS covered,
        sum(w.idf * (1 + {k1}) * u.tf / (u.tf + {k1} * (1 - {b}) + w.per_token * u.length)) AS l
    FROM w CROSS JOIN LATERAL unnest(w.ids, w.tfs, w.lengths) AS u(id, tf, length) GROUP BY u.id),
asked AS MATERIALIZED (SELECT coalesce(nullif(sum(idf * topical::int), 0), 1) AS idf FROM w),
nl AS MATERIALIZED (
    SELECT coalesce(sum(l) / max(st.n), 0) AS mean,
        coalesce(nullif(sqrt(greatest(sum(l * l) / max(st.n) - (sum(l) / max(st.n)) ^ 2, 0)), 0), 1) AS spread
    FROM lex CROSS JOIN st),
names AS MATERIALIZED (
    SELECT array_agg(speaker) AS named FROM (SELECT DISTINCT speaker FROM visible) AS s
    WHERE lower(speaker) = ANY(%(words)s::text[]) OR split_part(lower(speaker), ' ', 1) = ANY(%(words)s::text[]))"""

_MEANING = """
qv AS MATERIALIZED (SELECT %(vector)s::vector AS v),
candidates AS MATERIALIZED (
    SELECT id FROM visible WHERE (SELECT n FROM st) > {exact} AND (pinned
        OR (id IN (SELECT id FROM lex ORDER BY l DESC, id LIMIT {best})) IS TRUE
        OR (id IN (SELECT id FROM visible ORDER BY occurred_at DESC, id LIMIT {latest})) IS TRUE)),
dense AS MATERIALIZED (
    SELECT e.memory_id AS id, {cosine} AS d FROM memory_embedding e
    WHERE (SELECT n FROM st) <= {exact} AND e.subject_pk = %(subject)s AND e.model_id = %(model)s
        AND (e.memory_id IN (SELECT id FROM visible)) IS TRUE
    UNION ALL
    SELECT candidates.id, {cosine} FROM candidates CROSS JOIN LATERAL (
        SELECT emb FROM memory_embedding WHERE memory_id = candidates.id AND model_id = %(model)s OFFSET 0) AS e),
nd AS MATERIALIZED (
    SELECT coalesce(avg(d), 0) AS mean, coalesce(nullif(stddev_pop(d), 0), 1) AS spread FROM dense)"""
# Vectors of another length than the question's cannot be compared; they count as missing.
_COSINE = """CASE WHEN vector_dims(e.emb) = %(dimensions)s THEN 1 - (e.emb <=> (SELECT v FROM qv)) END"""

_BOTH = """
a AS MATERIALIZED (
    SELECT v.id, v.sitting, v.occurred_at, v.fact, v.asked_for, v.question, {spoken} AS spoken, {dated} AS dated,
        coalesce(lex.l, 0) AS l, coalesce(lex.covered, 0) AS covered, dense.d,
        {lexical} * (coalesce(lex.l, 0) - nl.mean) / nl.spread
            + coalesce({dense} * (dense.d - nd.mean) / nd.spread, 0) + {attribute} * asked_for::int AS s
    FROM visible AS v FULL JOIN dense USING (id) FULL JOIN lex USING (id)
        CROSS JOIN nl CROSS JOIN nd CROSS JOIN names)"""
_WORDS_ALONE = """
a AS MATERIALIZED (
    SELECT v.id, v.sitting, v.occurred_at, v.fact, v.asked_for, v.question, {spoken} AS spoken, {dated} AS dated,
        coalesce(lex.l, 0) AS l, coalesce(lex.covered, 0) AS covered, NULL::float8 AS d,
        (coalesce(lex.l, 0) - nl.mean) / nl.spread + {attribute} * asked_for::int AS s
    FROM visible AS v FULL JOIN lex USING (id) CROSS JOIN nl CROSS JOIN names)"""
_SPOKEN = "(cardinality(named) = 1 AND v.speaker = named[1]) IS TRUE"
_DATED = """(extract(month FROM v.occurred_at AT TIME ZONE 'UTC')::int = ANY(%(months)s::int[])
            OR v.occurred_at <@ ANY(%(ranges)s::tstzrange[])) IS TRUE"""

_AROUND = """
near AS MATERIALIZED (
    SELECT sitting FROM a ORDER BY s + {speaker} * spoken::int + {on_date} * dated::int DESC, id LIMIT {surroundings}),
turns AS (
    SELECT a.*, s + {before} * coalesce(lag(s) OVER timeline, 0) + {after} * coalesce(lead(s) OVER timeline, 0) AS s1
    FROM a WHERE (sitting IN (SELECT sitting FROM near)) IS TRUE
    WINDOW timeline AS (PARTITION BY sitting ORDER BY occurred_at, id)),
scored AS (
    SELECT turns.*, s1 + {speaker} * spoken::int + {on_date} * dated::int AS s2 FROM turns),
placed AS (SELECT scored.*, row_number() OVER (PARTITION BY sitting ORDER BY s2 DESC, id) AS place FROM scored),
seated AS MATERIALIZED (
    SELECT placed.*, {fact} * fact::int + {question} * question::int AS own,
        avg(s2) FILTER (WHERE place <= {best_of_sitting}) OVER sitting - {length} * ln(count(*) OVER sitting) AS t,
        max(covered) OVER sitting AS most_covered, max(d) OVER sitting AS nearest,
        cardinality(named) = 1 AND count(*) OVER sitting > 1
            AND max({near}) OVER sitting > coalesce(max({near}) FILTER (WHERE spoken) OVER sitting, -1) AS by_other
    FROM placed CROSS JOIN names WINDOW sitting AS (PARTITION BY sitting)),
nt AS MATERIALIZED (
    SELECT coalesce(avg(t), 0) AS mean, coalesce(nullif(stddev_pop(t), 0), 1) AS spread FROM seated WHERE place = 1),
ordered AS (SELECT seated.*, {in_sitting} * (t - nt.mean) / nt.spread AS s3 FROM seated CROSS JOIN nt),
best AS MATERIALIZED (
    SELECT ordered.*, s2 + own + s3 AS total FROM ordered ORDER BY s2 + own + s3 DESC, id LIMIT %(limit)s)"""

_RESULT = """
SELECT coalesce((SELECT version FROM memory_subject WHERE subject_pk = %(subject)s), 0),
    (SELECT version FROM memory_subject WHERE subject_pk = %(beside)s),
    (SELECT min(valid_from) FROM memory WHERE subject_pk = %(subject)s AND valid_from > recorded_at
        AND valid_from > %(now)s AND status = 'active'), r.*
FROM (SELECT 1) AS always LEFT JOIN LATERAL (
    SELECT m.id, m.body, m.type, m.confidence, m.occurred_at, m.memory_scope, s.source, s.ref, s.snippet, s.span,
        least(m.expires_at, m.valid_to) AS visible_until, m.pinned_at IS NOT NULL, m.sitting,
        best.l, best.covered / asked.idf, best.d, best.s, best.s1 - best.s, best.spoken, best.dated, best.asked_for,
        best.fact, best.question, best.s3, best.total, best.most_covered / asked.idf, best.nearest,
        best.by_other IS TRUE, st.n
    FROM best CROSS JOIN asked CROSS JOIN st JOIN memory m USING (id)
        CROSS JOIN LATERAL (
            SELECT source, ref, snippet, span FROM memory_source WHERE memory_id = m.id
            ORDER BY source = ANY((SELECT kinds FROM revoked)::text[]), position LIMIT 1) AS s
    ) AS r ON true
"""


def statement(*, asked: Collection[str], meaning: bool, dated: bool) -> str:
    """The SQL, with the restrictions named in ``asked`` (of memory_scopes, types, personas, min_confidence), comparing
    meanings or without, looking at dates or not.

    Rows: the subject's version, the version beside it (NULL: nothing there) and when the next memory becomes true
    (NULL: none does), then the best memories in no order, or one row of NULLs when there is none. Each is shown with
    the first of its sources that may be used.
    """
    visible = " AND ".join([_ALWAYS, *(sql for name, sql in _IF_ASKED.items() if name in asked)])
    parts = [_WORDS, _MEANING, _BOTH, _AROUND] if meaning else [_WORDS, _WORDS_ALONE, _AROUND]
    numbers = {
        "k1": K1, "b": B, "lexical": LEXICAL, "dense": DENSE, "attribute": ATTRIBUTE, "before": BEFORE, "after": AFTER,
        "speaker": SPEAKER, "on_date": DATED, "fact": FACT, "question": QUESTION, "in_sitting": SITTING,
        "length": LENGTH,
    }  # fmt: skip
    return ("WITH" + ",".join(parts) + _RESULT).format(
        visible=visible, cosine=_COSINE, spoken=_SPOKEN, dated=_DATED if dated else "false", exact=EXACT_UP_TO,
        best=BEST_BY_WORDS, near="d" if meaning else "l", latest=LATEST, surroundings=SURROUNDINGS,
        best_of_sitting=BEST_OF_SITTING, one_in=ONE_IN, sample=SAMPLE,
        **{name: f"{number}::float8" for name, number in numbers.items()},
    )  # fmt: skip
