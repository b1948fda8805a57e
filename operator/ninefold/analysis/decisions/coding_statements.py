"""Statements that make sequences of codes of steps. Tables of one shard on its way in:

    steps(n, k, kind, tool, args, result, failed, signature)   `n` numbers the shard's traces, `k` their steps
    told(n, text)                                              what the traces were told
    tasks(n, task)                                             their tasks
    free(argument)                                             arguments that are free text, as tool and name

A *raw* symbol keeps the leading word of every text argument: which words belong to a signature is decided over all
shards, when they are put together (`ninefold.analysis.decisions.merging`). Its separators are control characters, which
names and signatures are cleared of.
"""

FIRST_STEP = 2
"""`k` of a trace's first step. What was told stands at 1, so that 0 can only mean: nowhere."""
FIELD, PART, PAIR = "\x1f", "\x1e", "\x1d"
"""Between the four parts of a symbol; between the arguments of a call; between an argument's name and its value."""
ANSWER = "\x1c"
"""Stands where arguments would be: the step is no call, but what the agent said last."""
KEPT_TASKS = 5
"""Tasks in which a word leads that are kept by number, the smallest ones: as many as decide (`actions.LEAD_TASKS`)."""

_CLEAR = r"replaceRegexpAll({}, '[\\x1c-\\x1f]', ' ')"

_WORD = r"[\\p{L}_][\\p{L}\\p{N}_]*"

PARSED = f"""
-- Each step with the fields of its arguments: (name, leading word, text). A leading word with a digit in it names a
-- thing, not what is done, and is left out.
SELECT n, k, kind, {_CLEAR.format("assumeNotNull(steps.tool)")} AS tool, failed,
    {_CLEAR.format("assumeNotNull(steps.signature)")} AS signature, assumeNotNull(steps.args) AS args, result,
    if(startsWith(args, '{{'), JSONExtractKeysAndValuesRaw(args), [('', concat('"', args, '"'))]) AS pairs,
    arrayMap(p -> ({_CLEAR.format("p.1")}, p.2,
        if(startsWith(p.2, '"'), lower(extract(substring(p.2, 1, 200), '{_WORD}')), '')), pairs) AS read,
    arrayMap(f -> (f.1, if(match(f.3, '[0-9]'), '', f.3), f.2), read) AS fields
FROM steps
"""  # noqa: S608

LEADS = f"""
-- In which tasks (the {KEPT_TASKS} smallest) and in how many calls a word leads an argument, and how often it is all
-- there is.
SELECT tool, f.1 AS name, f.2 AS word, arraySlice(arraySort(groupUniqArray(t.task)), 1, {KEPT_TASKS}) AS tasks,
    count() AS calls, countIf(f.2 != '' AND lower(f.3) = concat('"', f.2, '"')) AS alone
FROM parsed
ARRAY JOIN fields AS f
INNER JOIN tasks AS t ON t.n = parsed.n
WHERE startsWith(f.3, '"')
GROUP BY tool, name, word
ORDER BY tool, name, word
"""  # noqa: S608

_NUMBERED = "[A-Za-z]*[0-9][A-Za-z0-9]{3,}"

UNSUPPORTED = f"""
-- Calls that name a number or an identifier which nothing told or shown before supports.
SELECT u.n AS n, u.k AS k, 1 AS bare
FROM (SELECT n, k, arrayJoin(extractAll(args, '{_NUMBERED}')) AS token FROM parsed WHERE kind = 'tool') AS u
LEFT ANY JOIN (
    SELECT n, token, min(k) AS first_k
    FROM (
        SELECT n, k, arrayJoin(extractAll(result, '{_NUMBERED}')) AS token FROM parsed
        UNION ALL
        SELECT n, 1 AS k, arrayJoin(extractAll(text, '{_NUMBERED}')) AS token FROM told
    )
    GROUP BY n, token
) AS s ON s.n = u.n AND s.token = u.token
WHERE ifNull(s.first_k, 0) = 0 OR s.first_k >= u.k
GROUP BY u.n, u.k
"""  # noqa: S608

SIGNED = r"""
-- Each step's raw symbol: tool, arguments, how it went, whether it named what nothing supports. A text argument is a
-- quotation mark and its leading word, with a plus when more follows.
SELECT p.n AS n, p.k AS k, concat(p.tool, '\x1f',
    if(p.kind = 'tool', arrayStringConcat(arrayMap(f -> concat(f.1, '\x1d', multiIf(
        startsWith(f.3, '"'), if(f.2 = '' OR concat(p.tool, '\x1f', f.1) IN (SELECT argument FROM free), '"',
            concat('"', f.2, if(lower(f.3) = concat('"', f.2, '"'), '', '+'))),
        startsWith(f.3, '{'), '{}', startsWith(f.3, '['), '[]',
        f.3 IN ('true', 'false', 'null'), f.3, '<n>')),
        arraySort(p.fields)), '\x1e'), '\x1c'), '\x1f',
    multiIf(p.failed, concat('error ', if(p.signature = '', 'error', p.signature)),
            p.kind = 'tool' AND trimBoth(lower(p.result)) IN ('', '[]', '{}', 'null', 'none', '""', '()'), 'empty',
            'ok'), '\x1f',
    if(ifNull(b.bare, 0) = 1, '1', '0')) AS symbol
FROM parsed AS p
LEFT ANY JOIN unsupported AS b ON b.n = p.n AND b.k = p.k
"""

SYMBOLS = "SELECT DISTINCT symbol FROM signed ORDER BY symbol"

SEQUENCES = """
-- The shard's traces as sequences of raw codes, in the order of their steps.
SELECT g.n AS n, arrayMap(p -> p.2, arraySort(groupArray((g.k, c.code)))) AS seq
FROM signed AS g INNER JOIN codes AS c ON c.symbol = g.symbol
GROUP BY n ORDER BY n
"""

CODED_COLUMNS = (
    "n UInt32, trace_id String, task UInt64, cluster UInt64, intent LowCardinality(String), day UInt16, "
    "version LowCardinality(String), solved UInt8, fold UInt8, seq Array(UInt16)"
)
