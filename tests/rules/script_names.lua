-- Every name that a policy script may write. Run as one by binding_names.c, it prints its globals and their members.
for name, value in pairs(_G) do
  print(name)
  if type(value) == "table" and value ~= _G and name ~= "arg" then
    for member in pairs(value) do
      print(name .. "." .. member)
    end
  end
end
