{#- An amount rounded once, half up, to the currency's minor unit (rule U4).
    Amounts are never negative here: half away from zero is half up. -#}
{% macro round_to_minor_units(amount, minor_units) -%}
    round({{ amount }}, {{ minor_units }})
{%- endmacro %}

{#- Uptime as stored: 12 decimals, cut and never rounded up (rule U2). The
    integer quotient is exact; a quotient of limited scale could round up. -#}
{% macro uptime_percent(counted_seconds, base_seconds) -%}
    case
        when {{ base_seconds }} > 0
            then
                div(
                    100 * ({{ base_seconds }} - ({{ counted_seconds }}))
                    * 1000000000000,
                    {{ base_seconds }}
                ) * 0.000000000001
    end
{%- endmacro %}

{#- The percent of the one tier that applies (rules U2, U3): the lowest `below`
    that uptime is strictly under, compared without dividing; 0 where none, or
    where nothing was measured. -#}
{% macro tier_percent(counted_seconds, base_seconds, credit_tiers) -%}
    coalesce(
        (
            select (tiers.tier ->> 'percent')::numeric
            from jsonb_array_elements({{ credit_tiers }}) as tiers (tier)
            where
                100 * ({{ base_seconds }} - ({{ counted_seconds }}))
                < (tiers.tier ->> 'below')::numeric * {{ base_seconds }}
            order by (tiers.tier ->> 'below')::numeric
            limit 1
        ),
        0
    )
{%- endmacro %}

{#- Of durations: what could count, and what uptime is of (rules U1 and D7):
    measured time, without what is excluded where the terms take that out of the
    base; with unknown time as downtime; and as the other choice has it. -#}
{% macro uptime_bases(durations, terms) -%}
    {{ durations }}.counted_seconds + {{ durations }}.unknown_uncovered_seconds
        as counted_low_seconds,
    {{ durations }}.measured_seconds
    - case
        when {{ terms }}.excluded_time = 'out_of_base'
            then {{ durations }}.excluded_seconds
        else 0
    end as base_seconds,
    {{ durations }}.measured_seconds
    - case
        when {{ terms }}.excluded_time = 'out_of_base'
            then
                {{ durations }}.excluded_seconds
                + {{ durations }}.unknown_covered_seconds
        else 0
    end as base_low_seconds,
    {{ durations }}.measured_seconds
    - case
        when {{ terms }}.excluded_time = 'out_of_base' then 0
        else {{ durations }}.excluded_seconds
    end as base_alternative_seconds
{%- endmacro %}
