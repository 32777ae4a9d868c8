-- SPDX-License-Identifier: BSD-3-Clause
-- Asks web servers for well-known paths. What it finds goes into the record; the service is refined by
-- what the server says of itself.
local settings = require("settings")
local contact = require("contact")
local product = require("product")
local survey = require("survey")

local current

function on_load(config)
	local why
	current, why = settings.read(config)
	return why
end

local function examine(target)
	if not contact.is_likely(target, current.ports) then return nil end
	local found = survey.run(target, current)
	return found and product.service(found.server, found.tls)
end

-- With a banner this hook is called, whatever is known of the service already.
function analyze_banner()
	return examine(prtip.get_target())
end

-- Without one it is this hook. A result that has a banner came by above.
function probe_service(target)
	if target.banner then return nil end
	return examine(target)
end
