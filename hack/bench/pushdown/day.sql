-- A day of conversations of five agents in the exporter's table, eleven spans each: every model call repeats a prompt of
-- 1,100 characters and all messages before it, 240 characters each.
INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, SpanName, ServiceName, Duration, SpanAttributes)
WITH number % 11 AS k, intDiv(number, 11) AS n,
    i -> concat('{"role": "', if(i % 2, 'user', 'assistant'), '", "content": "',
        repeat(hex(cityHash64(n, i)), 12), '"}') AS message
SELECT fromUnixTimestamp64Nano({start:Int64} + toInt64(intDiv(86400000000000 * n, {traces:UInt64}) + k * 1000000000)),
    leftPad(hex(n), 32, '0'), leftPad(hex(number), 16, '0'), if(k = 0, '', leftPad(hex(n * 11), 16, '0')),
    multiIf(k = 0, 'invoke_agent', k % 2, 'chat m', 'execute_tool t'), 'gateway', 500000000,
    multiIf(
        k = 0, map('gen_ai.operation.name', 'invoke_agent', 'gen_ai.agent.name', concat('agent-', toString(n % 5))),
        k % 2, map('gen_ai.operation.name', 'chat', 'gen_ai.request.model', 'm',
            'gen_ai.system_instructions', repeat('Be careful and exact. ', 50),
            'gen_ai.input.messages',
                concat('[', arrayStringConcat(arrayMap(i -> message(i), range(1, k + 1)), ', '), ']'),
            'gen_ai.output.messages', concat('[', message(k + 1), ']')),
        map('gen_ai.operation.name', 'execute_tool', 'gen_ai.tool.name', 't', 'gen_ai.tool.call.id', hex(number),
            'gen_ai.tool.call.arguments', '{"at": 1}',
            'gen_ai.tool.call.result', repeat(hex(cityHash64(n, k)), 12)))
FROM numbers(11 * {traces:UInt64})
