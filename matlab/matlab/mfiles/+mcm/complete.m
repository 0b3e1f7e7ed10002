function names = complete(params)
% NAMES = mcm.complete(PARAMS)
% Variables and fields that begin as PARAMS.word does. MATLAB documents no way to ask for what its own desktop offers,
% so that there are no functions among them.

dot = find(params.word == '.', 1, 'last');
before = '';
found = evalin('base', 'who');
if ~isempty(dot)
    before = params.word(1:dot - 1);
    found = {};
    if evalin('base', ['exist(''', strtok(before, '.'), ''', ''var'')'])
        owner = evalin('base', before);
        if isstruct(owner) || isobject(owner)
            found = strcat([before, '.'], fieldnames(owner));
        end
    end
end
found = sort(found(strncmp(found, params.word, numel(params.word))));
names = reshape(found(1:min(end, params.most)), 1, []);
end
