"use strict";

(() => {
  const place = document.getElementById("api-docs");
  SwaggerUIBundle({
    url: place.dataset.schema,
    domNode: place,
    presets: [SwaggerUIBundle.presets.apis],
    layout: "BaseLayout",
    deepLinking: true,
    docExpansion: "list",
    // The token lives in this page's memory only.
    persistAuthorization: false,
    // Else a picture would be asked of a foreign server.
    validatorUrl: null,
  });
})();
