"""How requests reach Django: granian takes connections, an event loop bodies, threads complete requests.

`front` is the RSGI application that granian calls, `bodies` reads what a client sends, `lanes` are the threads that
run Django's WSGI handler, `environs` and `answers` translate for it, `limits` holds every limit with its value.
`docs/deployment.md` tells operators about them.
"""
