{% from "domains/purchases/repository/customer.sql" import customer_of %}
{{ customer_of(merchant_id=":merchant_id", customer_reference=":customer_reference") }}
