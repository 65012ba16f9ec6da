{#- Whether an instant lies in the service month in some time zone: with a day
    to each side, which is more than any zone is off. -#}
{% macro is_near_month(instant, service_month) -%}
    {{ instant }} <@ tstzrange(
        ({{ service_month }} - interval '1 day') at time zone 'UTC',
        ({{ service_month }} + interval '1 month 1 day') at time zone 'UTC'
    )
{%- endmacro %}
