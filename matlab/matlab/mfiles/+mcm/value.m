function content = value(params)
% CONTENT = mcm.value(PARAMS)
% A part of a variable, small enough to be shown: a block of a matrix, a page of a cell's or struct array's elements,
% the fields of a struct, the text of anything else. PARAMS.path leads inside: names of fields and linear indices.

it = walk(params);
content = mcm.summary(it);
content.kind = 'text';
content.first = [params.row, params.column];
if isstruct(it) && isscalar(it)
    content.kind = 'struct';
    content.items = fields_of(it, params);
elseif iscell(it) || isstruct(it)
    content.kind = 'list';
    content.items = elements_of(it, params);
elseif isnumeric(it) || islogical(it)
    content.kind = 'matrix';
    content = block_of(it, params, content);
elseif ischar(it) && size(it, 1) <= 1
    content.content = it(1:min(end, params.longest));
elseif ischar(it) && ndims(it) == 2 %#ok<ISMAT>
    shown = it(1:min(end, params.rows), 1:min(end, params.longest));
    content.content = strjoin(cellstr(shown)', char(10));
else
    shown = evalc('disp(it)');
    content.content = shown(1:min(end, params.longest));
end
end

function it = walk(params)
if ~any(strcmp(params.name, evalin('base', 'who')))
    error('There is no variable `%s`.', params.name);
end
it = evalin('base', params.name);
path = params.path;
if ~iscell(path)
    path = num2cell(path);
end
for i = 1:numel(path)
    step = path{i};
    if ischar(step) && isstruct(it) && isscalar(it) && isfield(it, step)
        it = it.(step);
    elseif isnumeric(step) && iscell(it) && step <= numel(it)
        it = it{step};
    elseif isnumeric(step) && step <= numel(it)
        it = it(step);
    else
        error('`%s` has no such element any more.', params.name);
    end
end
end

function content = block_of(it, params, content)
page = 1;
if ndims(it) > 2
    pages = size(it);
    page = min(params.page, prod(pages(3:end)));
    it = it(:, :, page);
end
r = params.row:min(size(it, 1), params.row + params.rows - 1);
c = params.column:min(size(it, 2), params.column + params.columns - 1);
block = full(it(r, c)).';
content.page = page;
content.shape = [numel(r), numel(c)];
content.values = real(block(:)).';
if ~isreal(block)
    content.imaginary = imag(block(:)).';
end
end

function items = fields_of(it, params)
names = fieldnames(it);
names = names(params.row:min(end, params.row + params.rows - 1));
items = cell(1, numel(names));
for i = 1:numel(names)
    items{i} = mcm.summary(it.(names{i}));
    items{i}.step = names{i};
end
end

function items = elements_of(it, params)
numbers = params.row:min(numel(it), params.row + params.rows - 1);
items = cell(1, numel(numbers));
for i = 1:numel(numbers)
    if iscell(it)
        items{i} = mcm.summary(it{numbers(i)});
    else
        items{i} = mcm.summary(it(numbers(i)));
    end
    items{i}.step = numbers(i);
end
end
