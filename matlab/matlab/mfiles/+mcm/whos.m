function variables = whos(~)
% VARIABLES = mcm.whos(PARAMS)
% The variables of the base workspace, each with a short text of its value.

list = evalin('base', 'whos');
variables = cell(1, numel(list));
for i = 1:numel(list)
    about = mcm.summary(evalin('base', list(i).name));
    about.name = list(i).name;
    about.bytes = list(i).bytes;
    about.global = list(i).global;
    variables{i} = about;
end
end
