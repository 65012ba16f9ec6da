select; -- Filled in while issue 4 is built.
