"""The wire: what comes in is read strictly, what goes out has one form, and errors become HTTP in one file.

Strict parser and fields (spec 05, Strict wire models), problem documents (spec 09, HTTP), cursor pages, and the OpenAPI
document. Nothing here knows a table or a tenant.
"""
