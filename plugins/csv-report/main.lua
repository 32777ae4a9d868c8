-- SPDX-License-Identifier: BSD-3-Clause
-- CSV as in RFC 4180: lines end in CRLF, and a cell that holds a separator, a quote or an end of line
-- stands in quotes, with its own quotes doubled. UTF-8.
--
-- Each result becomes a line as soon as it is there, so that the output can go into a pipe.

local text = require("text")

-- What a column holds: text, a number, or nil for an empty cell.
local COLUMNS = {}
for _, name in ipairs({
	"ip", "port", "protocol", "state", "reason", "ttl", "rtt_us", "ts", "service", "product",
	"version", "info", "os", "cpe", "confidence", "source",
}) do
	COLUMNS[name] = function(result) return result[name] end
end

function COLUMNS.zero_window(result)
	return result.zero_window and "true" or nil
end

function COLUMNS.banner(result)
	return result.banner
end

function COLUMNS.banner_hex(result)
	return result.banner and prtip.hex(result.banner)
end

-- What the plugins before this one said, as in an NDJSON record.
function COLUMNS.plugins(result)
	return result.plugins and prtip.json_encode(result.plugins)
end

-- For INI files, where a blank with a `;` begins a comment, and no value ends in a tab.
local SEPARATORS = { comma = ",", semicolon = ";", tab = "\t", pipe = "|" }

local cells -- functions of COLUMNS, in order
local header -- to be written before the next line; nil: it was, or is not wanted
local separator, guard, special

local function known_columns()
	local names = {}
	for name in pairs(COLUMNS) do
		names[#names + 1] = name
	end
	table.sort(names)
	return table.concat(names, ", ")
end

local function read_columns(names)
	if #names == 0 then
		return "columns is empty; name at least one of " .. known_columns()
	end
	local seen = {}
	cells = {}
	for i, name in ipairs(names) do
		if not COLUMNS[name] then
			return ("columns: there is no column %q; known are %s"):format(name, known_columns())
		end
		if seen[name] then
			return ("columns: %q is named twice"):format(name)
		end
		seen[name] = true
		cells[i] = COLUMNS[name]
	end
end

local function read_separator(value)
	separator = SEPARATORS[value] or value
	if #separator ~= 1 or separator:find('[%w%c\128-\255" ]') and separator ~= "\t" then
		return ("separator is %q; give comma, semicolon, tab, pipe, or one character of punctuation")
			:format(value)
	end
	special = "[%" .. separator .. '"\r\n]'
end

-- Spreadsheets take a cell that begins so for a formula, which may run programs or send the sheet's
-- content away; what stands in it was chosen by the host that was scanned.
local function is_formula(cell)
	return cell:find("^[=+@\t\r-]") ~= nil
end

local function write_cell(value)
	if value == nil then
		return ""
	end
	local cell = text.printable(tostring(value))
	if guard and is_formula(cell) then
		cell = "'" .. cell
	end
	if cell:find(special) then
		cell = '"' .. cell:gsub('"', '""') .. '"'
	end
	return cell
end

local function write_line(values, n)
	local line = {}
	for i = 1, n do
		line[i] = write_cell(values[i])
	end
	return table.concat(line, separator) .. "\r\n"
end

function on_load(config)
	local why = read_columns(config.columns) or read_separator(config.separator)
	if why then
		return why
	end
	guard = config.formula_guard
	header = config.header and write_line(config.columns, #config.columns) or nil
end

function format_result(result)
	local values, n = {}, #cells
	for i = 1, n do
		values[i] = cells[i](result)
	end
	local line = write_line(values, n)
	if header then
		line, header = header .. line, nil
	end
	return line
end
