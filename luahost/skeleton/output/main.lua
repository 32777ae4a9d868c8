-- SPDX-License-Identifier: BSD-3-Clause
-- An output plugin makes a format: `-o @NAME@:FILE`, or `-o @NAME@:-` for standard output.

local separator

-- Called once, before anything is sent, with [config] of plugin.toml as the operator changed it. A
-- string that it returns ends the run: "this setting is wrong".
function on_load(config)
	if config.separator == "" then
		return "separator is empty; give at least one character"
	end
	separator = config.separator
end

-- A service may name itself as it likes: no line of ours is broken by it.
local function plain(text)
	return (text:gsub("[%c\127]", "?"))
end

-- Called for each result. The strings are written one behind the other, as they are. They come in no
-- fixed order, and from several lanes where [plugins] lanes is more than 1.
function format_result(result)
	local fields = { result.ip, result.port or "-", result.state, plain(result.service or "-") }
	return table.concat(fields, separator) .. "\n"
end

-- A format that has to see all results first, for a summary on top for instance, has
--     function export(results, path)
-- instead of format_result() or besides it: called once, at the end, it writes to path with
-- prtip.append_file(path, text). Standard output has no path, so `-o @NAME@:-` needs format_result().
