{#- Clears the current build's service month from a mart, in the transaction
    that appends its rows again. -#}
{% macro delete_month_of_build() -%}
    delete from {{ this }}
    where service_month = (
        select current_build.service_month
        from {{ ref('stg_audit__current_build') }} as current_build
    )
{%- endmacro %}
