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
