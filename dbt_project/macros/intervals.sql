{#- The exact length of `[started_at, ended_at)` in seconds (numeric). -#}
{% macro seconds_between(started_at, ended_at) -%}
    extract(epoch from ({{ ended_at }} - {{ started_at }}))
{%- endmacro %}

{#- The exact length of a multirange in seconds; 0 where it is empty. -#}
{% macro seconds_in(multirange) -%}
    (
        select coalesce(
            sum({{ seconds_between('lower(pieces.piece)', 'upper(pieces.piece)') }}),
            0
        )
        from unnest({{ multirange }}) as pieces (piece)
    )
{%- endmacro %}

{#- An instant as people read it: ISO 8601, UTC, without what is zero of its
    fraction; the session's settings do not change it. -#}
{% macro instant_text(instant) -%}
    regexp_replace(
        to_char(
            {{ instant }} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US'
        ),
        '(\.0+|(\.\d*[1-9])0*)$', '\2'
    ) || 'Z'
{%- endmacro %}
