{#- Segments of one `key_columns` that touch and are alike (kind, is_covered,
    services, categories) made one, with the sources of all. The segments of a
    key must not overlap. -#}
{% macro merge_segments(segments, key_columns) -%}
    {%- set keys -%}
        {%- for column in key_columns %}{{ column }}{{ ", " if not loop.last }}{% endfor -%}
    {%- endset -%}
    select
        {{ keys }},
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        kind,
        is_covered,
        services,
        categories,
        {{ sorted_texts('source_id') }} as source_ids
    from (
        select
            *,
            count(*) filter (where continues is not true) over (
                partition by {{ keys }} order by started_at
            ) as segment_number
        from (
            select
                *,
                started_at = lag(ended_at) over in_order
                and (kind, is_covered, services, categories)
                = lag((kind, is_covered, services, categories)) over in_order
                    as continues
            from {{ segments }}
            window in_order as (partition by {{ keys }} order by started_at)
        ) as compared
    ) as numbered
    cross join lateral unnest(source_ids) as sources (source_id)
    group by
        {{ keys }}, segment_number, kind, is_covered, services, categories
{%- endmacro %}
