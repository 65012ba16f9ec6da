{#- Every line but goodwill with what the lines of its contract, month, basis
    and currency add up to, itself included (rule L2). -#}
{% macro running_sums(lines) -%}
    select
        {{ lines }}.*,
        sum({{ lines }}.amount) over (
            partition by
                {{ lines }}.contract_id,
                {{ lines }}.service_month,
                {{ lines }}.basis,
                {{ lines }}.currency
            order by {{ lines }}.ordinal
        ) as posted_amount
    from {{ lines }}
    where {{ lines }}.entry_type <> 'goodwill'
{%- endmacro %}
