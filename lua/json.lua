-- JSON for the host: lua-cjson, told to be as strict as it can be. What it cannot be told, src/adapters/json.c checks.
local cjson = require("cjson").new()
cjson.decode_invalid_numbers(false)
cjson.decode_max_depth(32)

-- lua-cjson's names of tokens, for people.
local tokens = {
  T_OBJ_BEGIN = "{", T_OBJ_END = "}", T_ARR_BEGIN = "[", T_ARR_END = "]", T_COLON = ":", T_COMMA = ",",
  T_STRING = "a string", T_NUMBER = "a number", T_BOOLEAN = "a boolean", T_NULL = "null", T_END = "the end",
}

-- What decode() has said of a text that it refused, for people.
local function explain(message)
  return (message:gsub("T_[A-Z_]+", tokens):gsub("^%u", string.lower):gsub("at character", "at byte"))
end

return { decode = cjson.decode, explain = explain }
