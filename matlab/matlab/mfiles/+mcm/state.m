function report = state()
% REPORT = mcm.state()
% The current folder and the figures that are open, as JSON. MATLAB does not document how to tell whether a figure was
% changed, so each of them may have been.

figures = sort(double(get(0, 'children')));
list = cell(1, numel(figures));
for i = 1:numel(figures)
    h = figures(i);
    position = getpixelposition(h);
    list{i} = struct('number', h, 'name', get(h, 'name'), 'width', position(3), 'height', position(4), 'changed', true);
end
report = jsonencode(struct('folder', pwd, 'figures', {list}));
end
