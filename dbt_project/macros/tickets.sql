{#- Zendesk's priorities are P1 to P4; null where there is none. -#}
{% macro severity_of(priority) -%}
    case {{ priority }}
        when 'urgent' then 'P1'
        when 'high' then 'P2'
        when 'normal' then 'P3'
        when 'low' then 'P4'
    end
{%- endmacro %}
