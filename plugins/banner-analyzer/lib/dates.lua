-- SPDX-License-Identifier: BSD-3-Clause
-- Dates in text, as ISO 8601. What is ambiguous (03/04/2025) or impossible (31 Feb) is no date.
--
-- find(text) returns a list of {text, date, epoch}: as written, normalised, and seconds since 1970
-- where it has a time and a zone.

local find, format, match, sub, byte = string.find, string.format, string.match, string.sub, string.byte
local floor = math.floor
local MOST = 8 -- dates of one text

local MONTHS = {}
for number, name in ipairs({ "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" }) do
	MONTHS[name] = number
end
local FULL = { Jan = "January", Feb = "February", Mar = "March", Apr = "April", May = "May", Jun = "June",
	Jul = "July", Aug = "August", Sep = "September", Oct = "October", Nov = "November", Dec = "December" }

-- Minutes east of UTC: those of RFC 5322, section 4.3, and European ones. Others mean several zones.
local ZONES = {
	Z = 0, GMT = 0, UTC = 0, UT = 0, EST = -300, EDT = -240, CST = -360, CDT = -300, MST = -420, MDT = -360,
	PST = -480, PDT = -420, WET = 0, CET = 60, CEST = 120, EET = 120, EEST = 180, MSK = 180,
}

local function month_days(year, month)
	if month == 2 then
		return (year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)) and 29 or 28
	end
	return (month == 4 or month == 6 or month == 9 or month == 11) and 30 or 31
end

-- Days since 1970-01-01 of a date of the Gregorian calendar, counted from March on.
local function days(year, month, day)
	if month <= 2 then year, month = year - 1, month + 12 end
	return 365 * year + floor(year / 4) - floor(year / 100) + floor(year / 400)
		+ floor((153 * (month - 3) + 2) / 5) + day - 719469
end

-- Minutes of a zone's text, or nil.
local function zone_minutes(zone)
	local sign, hours, minutes = match(zone, "^([+-])(%d%d):?(%d%d)$")
	if not sign then return ZONES[zone] end
	hours, minutes = tonumber(hours), tonumber(minutes)
	if hours > 14 or minutes > 59 then return nil end
	return (sign == "-" and -1 or 1) * (hours * 60 + minutes)
end

local function zone_text(minutes)
	if minutes == 0 then return "Z" end
	local size = minutes < 0 and -minutes or minutes
	return format("%s%02d:%02d", minutes < 0 and "-" or "+", floor(size / 60), size % 60)
end

-- A date of its parts, all but year, month and day optional; nil where there is no such day.
local function make(year, month, day, time, zone)
	year, month, day = tonumber(year), tonumber(month), tonumber(day)
	if not year or not month or month < 1 or month > 12 or year < 1970 or year > 2099 then return nil end
	if day < 1 or day > month_days(year, month) then return nil end
	local iso = format("%04d-%02d-%02d", year, month, day)
	if not time or time == "" then return { date = iso } end
	local hour, minute, second = match(time, "^(%d%d?):(%d%d):?(%d?%d?)$")
	hour, minute, second = tonumber(hour), tonumber(minute), tonumber(second) or 0
	if not hour or hour > 23 or minute > 59 or second > 60 then return { date = iso } end
	iso = format("%sT%02d:%02d:%02d", iso, hour, minute, second)
	local offset = zone and zone_minutes(zone)
	if not offset then return { date = iso } end
	return {
		date = iso .. zone_text(offset),
		epoch = ((days(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second,
	}
end

local function full_year(year)
	if #year == 4 then return year end
	return (tonumber(year) < 70 and "20" or "19") .. year
end

-- The time and zone that follow at @at: where they end, and both.
local function time_after(text, at)
	local _, last, time = find(text, "^[ T:,]+(%d%d?:%d%d:?%d?%d?)%f[^%d]", at)
	if not last then return at - 1 end
	local _, fraction = find(text, "^[.,]%d+", last + 1)
	local zone_at = (fraction or last) + 1
	local _, zone_last, zone = find(text, "^ ?([+-]%d%d:?%d%d)%f[^%d]", zone_at)
	if not zone_last then
		_, zone_last, zone = find(text, "^ ?(%u[%u]*)%f[^%w]", zone_at)
		if zone and not ZONES[zone] then zone_last = nil end
	end
	return zone_last or fraction or last, time, zone_last and zone
end

-- Around a month's name at @first .. @last: day before it, or behind it.
local function around_month(text, first, last, month)
	local begin, _, day = find(sub(text, first > 3 and first - 3 or 1, first - 1), "%f[%d](%d%d?)[ /-]$")
	if day then
		begin = (first > 3 and first - 3 or 1) + begin - 1
		local _, year_last, year = find(text, "^[ /-](%d%d%d?%d?)%f[^%d]", last + 1)
		if year and #year ~= 3 then
			local over, time, zone = time_after(text, year_last + 1)
			return begin, over, make(full_year(year), month, day, time, zone)
		end
		return
	end
	-- asctime and date(1): Jan 28 09:00:00 [CET] 2025
	local _, over, day_of, time, zone, year = find(text, "^ +(%d%d?) (%d%d:%d%d:%d%d) ?(%u*) ?(%d%d%d%d)%f[^%d]", last + 1)
	if not over then
		-- Jan 28 2025 09:00:00, Jan 28, 2025
		_, over, day_of, year = find(text, "^ +(%d%d?),? (%d%d%d%d)%f[^%d]", last + 1)
		if not over then return end
		over, time, zone = time_after(text, over + 1)
	end
	return first, over, make(year, month, day_of, time, zone)
end

local function next_month(text, at)
	while true do
		local first, last, name = find(text, "%f[%a](%u%l%l)%l*", at)
		if not first then return nil end
		local month = MONTHS[name]
		local word = month and sub(text, first, last)
		if month and (word == name or word == FULL[name]) then return first, last, month end
		at = last + 1
	end
end

local function numeric(text, at)
	local first, last, year, _, month, day = find(text, "%f[%d](%d%d%d%d)([-/]?)(%d%d)%2(%d%d)%f[^%d]", at)
	if not first then return nil end
	local over, time, zone = time_after(text, last + 1)
	return first, over, make(year, month, day, time, zone)
end

-- Day, month, year; where no separator says which of the first two is the day, only if one is over 12.
local function european(text, at)
	local first, last, a, separator, b, year = find(text, "%f[%d](%d%d)([./-])(%d%d)%2(%d%d%d%d)%f[^%d]", at)
	if not first then return nil end
	local day, month = a, b
	if separator ~= "." then
		if tonumber(a) <= 12 and tonumber(b) <= 12 and a ~= b then return first, last, nil end
		if tonumber(b) > 12 then day, month = b, a end
	end
	local over, time, zone = time_after(text, last + 1)
	return first, over, make(year, month, day, time, zone)
end

-- A part of something longer, such as a version 1.28.01.2025, is no date.
local function stands_alone(text, first, over)
	local before, after = byte(text, first - 1), byte(text, over + 1)
	local dot = before == 46 and first > 2 and find(text, "^%d", first - 2)
	return not dot and not (after == 46 and find(text, "^%d", over + 2))
end

local function collect(text, search, into)
	local at = 1
	while #into < MOST do
		local first, over, date = search(text, at)
		if not first then return end
		if date and stands_alone(text, first, over) then
			date.text = sub(text, first, over)
			into[#into + 1] = date
		end
		at = (over > first and over or first) + 1
	end
end

local function by_month(text, at)
	local first, last, month = next_month(text, at)
	if not first then return nil end
	local begin, over, date = around_month(text, first, last, month)
	if not begin then return first, last, nil end
	return begin, over, date
end

local function find_dates(text)
	local dates = {}
	-- Most texts have none: each form has a year of four digits in it, but for RFC 850's.
	local year = find(text, "%d%d%d%d")
	if not year and not find(text, "%-%u%l%l%-%d%d") then return dates end
	collect(text, by_month, dates)
	if year then
		collect(text, numeric, dates)
		collect(text, european, dates)
	end
	return dates
end

-- A count of seconds since 1970, as in POP3's time stamps (RFC 1939).
local function of_epoch(epoch)
	local day, second = floor(epoch / 86400), epoch % 86400
	-- The inverse of days(): by eras of 400 years (146097 days) that begin in March.
	local z = day + 719468
	local era = floor(z / 146097)
	local doe = z - era * 146097
	local yoe = floor((doe - floor(doe / 1460) + floor(doe / 36524) - floor(doe / 146096)) / 365)
	local doy = doe - (365 * yoe + floor(yoe / 4) - floor(yoe / 100))
	local shifted = floor((5 * doy + 2) / 153)
	local month = shifted < 10 and shifted + 3 or shifted - 9
	return format("%04d-%02d-%02dT%02d:%02d:%02dZ", yoe + era * 400 + (month <= 2 and 1 or 0), month,
		doy - floor((153 * shifted + 2) / 5) + 1, floor(second / 3600), floor(second / 60) % 60, second % 60)
end

return { find = find_dates, of_epoch = of_epoch }
