"""The doors: the REST API and the command line. Both call ``controller.service.Controller`` and decide nothing."""
