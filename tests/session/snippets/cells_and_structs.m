%% Cell arrays
c = {1, 'two', [3 4]}
c{2}
c(1)
c{end+1} = true;
numel(c), iscell(c), class(c{4})
%> c =
%> {
%>   [1,1] = 1
%>   [1,2] = two
%>   [1,3] =
%>
%>      3   4
%>
%> }
%>
%> ans = two
%> ans =
%> {
%>   [1,1] = 1
%> }
%>
%> ans = 4
%> ans = 1
%> ans = logical

%% A function for each cell
n = cellfun(@numel, {'a', 'bb', 'ccc'})
u = cellfun(@upper, {'a', 'b'}, 'UniformOutput', false)
arrayfun(@(x) x^2, 1:3)
cellfun(@isempty, {[], 'a', {}})
%> n =
%>
%>    1   2   3
%>
%> u =
%> {
%>   [1,1] = A
%>   [1,2] = B
%> }
%>
%> ans =
%>
%>    1   4   9
%>
%> ans =
%>
%>   1  0  1
%>

%% Between cells and matrices
num2cell([1 2])
cell2mat({1 2; 3 4})
cell(1, 2)
c = {1; 2}; vertcat(c{:})
%> ans =
%> {
%>   [1,1] = 1
%>   [1,2] = 2
%> }
%>
%> ans =
%>
%>    1   2
%>    3   4
%>
%> ans =
%> {
%>   [1,1] = [](0x0)
%>   [1,2] = [](0x0)
%> }
%>
%> ans =
%>
%>    1
%>    2
%>

%% A struct
s.name = 'Bob';
s.age = 42;
s
s.name
isfield(s, 'age'), isfield(s, {'age', 'no'})
s.('name') = 'Al';
fieldnames(s)'
%> s =
%>
%>   scalar structure containing the fields:
%>
%>     name = Bob
%>     age = 42
%>
%> ans = Bob
%> ans = 1
%> ans =
%>
%>   1  0
%>
%> ans =
%> {
%>   [1,1] = name
%>   [1,2] = age
%> }
%>

%% Struct arrays
people = struct('name', {'Ann', 'Bob'}, 'age', {30, 40});
size(people)
[people.age]
people(2).name
people(3).name = 'Cy';
isempty(people(3).age)
names = {people.name}
%> ans =
%>
%>    1   2
%>
%> ans =
%>
%>    30   40
%>
%> ans = Bob
%> ans = 1
%> names =
%> {
%>   [1,1] = Ann
%>   [1,2] = Bob
%>   [1,3] = Cy
%> }
%>

%% Structs within structs
t.m = [1 2; 3 4];
t.inner.deep = 'text'
t = rmfield(t, 'm');
orderfields(struct('b', 1, 'a', 2))
%> t =
%>
%>   scalar structure containing the fields:
%>
%>     m =
%>
%>        1   2
%>        3   4
%>
%>     inner =
%>
%>       scalar structure containing the fields:
%>
%>         deep = text
%>
%>
%> ans =
%>
%>   scalar structure containing the fields:
%>
%>     a = 2
%>     b = 1
%>

%% Maps
m = containers.Map();
m('one') = 1;
m('two') = 2;
keys(m), values(m)
m.isKey('one'), m.Count
ages = containers.Map({'Ann', 'Bob'}, [30 40]);
ages('Bob')
squares = containers.Map('KeyType', 'double', 'ValueType', 'any');
squares(3) = 9;
squares(3)
%> ans =
%> {
%>   [1,1] = one
%>   [1,2] = two
%> }
%>
%> ans =
%> {
%>   [1,1] = 1
%>   [1,2] = 2
%> }
%>
%> ans = 1
%> ans = 2
%> ans = 40
%> ans = 9

%% A key that is not there
m = containers.Map({'a'}, {1});
m('b')
%! [] containers.Map: specified key <b> does not exist
